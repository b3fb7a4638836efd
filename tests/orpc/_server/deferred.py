"""Recorded exchanges this server does not answer alike yet, by name and with the reason.

Whoever adds the feature deletes the names, and the vectors are replayed from then on.
"""

from __future__ import annotations

_FILES = "multipart bodies are not read and files not sent"
_BATCH = "there is no batch endpoint"
_CLIENT = "the client fails before anything is sent"

CRAFTED_REQUESTS = {
    "multipart-file-first": _FILES,
    "multipart-no-part-content-type": _FILES,
    "multipart-filename-star": _FILES,
    "multipart-bad-map-path": _FILES,
    "multipart-missing-data": _FILES,
    "multipart-no-maps": _FILES,
    "multipart-extra-parts-ignored": _FILES,
    "multipart-no-boundary": _FILES,
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
    "file-upload-nested": _FILES,
    "blob-upload-top-level": _FILES,
    "file-upload-with-get-link": _FILES,
    "file-download-top-level": _FILES,
    "files-download-nested": _FILES,
    "raw-stream-output": _FILES,
    "batch-streaming": _BATCH,
    "batch-buffered": _BATCH,
    "batch-mixed-methods": _BATCH,
    "batch-item-returns-file-or-events": _BATCH,
    "batch-streaming-unmatched": _BATCH,
    "batch-more-than-max-size": _BATCH,
    "batch-server-limit": _BATCH,
    "batch-distinct-headers": _BATCH,
}
