"""What kind of body a message has, and the value inside its envelope (WIRE.md 4.4).

Both sides read bodies by the same table; only the GET row belongs to the server alone.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from durable_execution._codec import UNDEFINED, TypedJson
from durable_execution.orpc._protocol.http import Headers

_BOM: Final = b"\xef\xbb\xbf"


class BodyKind(Enum):
    """A row of the table in WIRE.md 4.4; the value is the word used in messages.

    The last two are version 2's (WIRE.md 11.3): no body at all, and bytes without a known end.
    """

    JSON = "JSON"
    FORM = "multipart/form-data"
    URL_ENCODED = "application/x-www-form-urlencoded"
    EVENT_STREAM = "text/event-stream"
    TEXT = "text/plain"
    FILE = "file"
    NONE = "empty"
    BYTES = "application/octet-stream"


# First match wins; case-sensitive prefix tests, as the reference does them.
_BY_CONTENT_TYPE: Final = (
    ("application/json", BodyKind.JSON),
    ("multipart/form-data", BodyKind.FORM),
    ("application/x-www-form-urlencoded", BodyKind.URL_ENCODED),
    ("text/event-stream", BodyKind.EVENT_STREAM),
    ("text/plain", BodyKind.TEXT),
)

_STREAMED: Final = frozenset({BodyKind.EVENT_STREAM, BodyKind.FORM, BodyKind.FILE})


def body_kind(headers: Headers) -> BodyKind:
    """How a body with these headers is to be read."""
    content_type = None
    for name, value in headers:
        if name == "content-disposition":
            return BodyKind.FILE
        if name == "content-type" and content_type is None:
            content_type = value
    if not content_type:
        return BodyKind.JSON
    for start, kind in _BY_CONTENT_TYPE:
        if content_type.startswith(start):
            return kind
    return BodyKind.FILE


def is_streamed(headers: Headers) -> bool:
    """Whether a body with these headers is read in pieces, as it may be long or never end.

    True for event streams, forms and files; everything else is small and read whole.
    """
    return body_kind(headers) in _STREAMED


def read_envelope(codec: TypedJson, body: bytes) -> Any:
    """The value inside a JSON body; `UNDEFINED` for an empty body and for JSON without envelope.

    Raises:
        DecodeError: `JsonSyntaxError` when this is not JSON, else the envelope is at fault.
    """
    # Nothing but a byte order mark is empty text as well; anything else is the codec's to judge.
    return UNDEFINED if body in (b"", _BOM) else codec.loads(body)


def data_parameter(query: str, name: bytes = b"data") -> bytes:
    """The last parameter of this name in a form-urlencoded query, decoded; empty without one."""
    found = b""
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if _form_decode(key) == name:
            found = _form_decode(value)
    return found


def _form_decode(text: str) -> bytes:
    """Plus is a space; a percent sign not followed by two hex digits stays as it is."""
    return unquote_to_bytes(text.replace("+", " "))
