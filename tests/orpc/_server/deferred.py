"""Recorded exchanges this server does not answer alike yet, by name and with the reason.

Whoever adds the feature deletes the names, and the vectors are replayed from then on.
"""

from __future__ import annotations

_BATCH = "there is no batch endpoint"
_CLIENT = "the client fails before anything is sent"

CRAFTED_REQUESTS = {
    "batch-relative-url-rejected": _BATCH,
    "batch-legacy-header-value-1": _BATCH,
    "batch-item-method-get": _BATCH,
    "batch-bad-json": _BATCH,
    "batch-item-null": _BATCH,
    "batch-item-bad-body": _BATCH,
    "batch-eleven-items": _BATCH,
    "batch-header-absent": _BATCH,
    "batch-get-strict": _BATCH,
    "batch-empty-array": _BATCH,
    "csrf-batch-outer-header": _BATCH,
    "csrf-batch-item-header-only": _BATCH,
}

EXCHANGES = {
    "sse-input-over-fetch": _CLIENT,
    "batch-streaming": _BATCH,
    "batch-buffered": _BATCH,
    "batch-mixed-methods": _BATCH,
    "batch-item-returns-file-or-events": _BATCH,
    "batch-streaming-unmatched": _BATCH,
    "batch-more-than-max-size": _BATCH,
    "batch-server-limit": _BATCH,
    "batch-distinct-headers": _BATCH,
}
