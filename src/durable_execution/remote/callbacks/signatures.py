"""The signature of a request to an app, as https://www.standardwebhooks.com has it.

`webhook-id`, `webhook-timestamp` (seconds since the epoch) and the body are signed together, so
that a request can neither be changed nor be sent again later.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final

from durable_execution.errors import InvalidCallbackError
from durable_execution.remote.callbacks.secrets import CallbackSecrets

WEBHOOK_ID: Final = "webhook-id"
WEBHOOK_TIMESTAMP: Final = "webhook-timestamp"
WEBHOOK_SIGNATURE: Final = "webhook-signature"

TOLERANCE: Final = 300
"""Seconds by which the clocks of both sides may differ, the time of the request included."""
MAX_HEADER_LENGTH: Final = 2048

_VERSION: Final = "v1,"
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


def signed_headers(
    secrets: CallbackSecrets, message_id: str, body: bytes, *, now: float
) -> dict[str, str]:
    """Return the three headers of a request; `now` is in seconds since the epoch."""
    timestamp = str(int(now))
    code = secrets.sign_message(_content(message_id, timestamp, body))
    return {
        WEBHOOK_ID: message_id,
        WEBHOOK_TIMESTAMP: timestamp,
        WEBHOOK_SIGNATURE: _VERSION + base64.b64encode(code).decode(),
    }


def check_signature(
    secrets: CallbackSecrets, headers: Mapping[str, str], body: bytes, *, now: float
) -> None:
    """Make sure that whoever sent this has a secret, and has sent it just now.

    Raises:
        InvalidCallbackError: A header is missing or malformed, the timestamp is older or newer
            than five minutes, or no signature fits.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id = _header(given, WEBHOOK_ID)
    timestamp = _header(given, WEBHOOK_TIMESTAMP)
    signatures = _header(given, WEBHOOK_SIGNATURE)
    if not _TIMESTAMP.fullmatch(timestamp):
        raise InvalidCallbackError(f"{WEBHOOK_TIMESTAMP} must be seconds since the epoch")
    if abs(now - int(timestamp)) > TOLERANCE:
        raise InvalidCallbackError(
            f"{WEBHOOK_TIMESTAMP} is more than {TOLERANCE} seconds away from the time here"
        )
    content = _content(message_id, timestamp, body)
    if not any(secrets.is_message_signed(content, code) for code in _codes(signatures)):
        raise InvalidCallbackError(f"{WEBHOOK_SIGNATURE} does not fit the request")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise InvalidCallbackError(f"{name} is missing")
    if len(value) > MAX_HEADER_LENGTH:
        raise InvalidCallbackError(f"{name} is longer than {MAX_HEADER_LENGTH} characters")
    return value


def _codes(signatures: str) -> Iterator[bytes]:
    """Read the signatures of our version; there may be several, with spaces between them."""
    for signature in signatures.split(" "):
        if signature.startswith(_VERSION):
            try:
                yield base64.b64decode(signature.removeprefix(_VERSION), validate=True)
            except (binascii.Error, ValueError):
                continue


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode("utf-8", "surrogatepass") + body
