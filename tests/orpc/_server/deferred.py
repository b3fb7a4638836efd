"""Recorded exchanges this server does not answer alike yet, by name and with the reason.

Whoever adds the feature deletes the names, and the vectors are replayed from then on.
"""

from __future__ import annotations

_CLIENT = "the client fails before anything is sent"

CRAFTED_REQUESTS = {
    "batch-empty-array": "the recorded server never answers; test_batch has our answer",
}

EXCHANGES = {
    "sse-input-over-fetch": _CLIENT,
}
