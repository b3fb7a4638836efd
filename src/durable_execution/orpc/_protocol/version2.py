"""The dialect of `2.0.0-beta.16` (WIRE.md 11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from durable_execution._codec import UNDEFINED, Dialect
from durable_execution.orpc._protocol.body import BodyKind
from durable_execution.orpc._protocol.error import (
    KNOWN_CODES,
    MALFORMED_ERROR_RESPONSE,
    ORPCError,
)
from durable_execution.orpc._protocol.http import Headers, Request, first_header

if TYPE_CHECKING:
    from durable_execution.orpc._protocol.version import Version

HINT: Final = "standard-server"
"""The header that says what a body is when its content type does not."""

STATUSES: Final[Mapping[str, int]] = {
    **{code: known.status for code, known in KNOWN_CODES.items()},
    "PAYMENT_REQUIRED": 402,
    "GONE": 410,
    "PRECONDITION_REQUIRED": 428,
}

_BY_HINT: Final = {
    "none": BodyKind.NONE,
    "json": BodyKind.JSON,
    "form-data": BodyKind.FORM,
    "url-search-params": BodyKind.URL_ENCODED,
    "event-stream": BodyKind.EVENT_STREAM,
    "file": BodyKind.FILE,
}
_BY_TYPE: Final = {
    "application/json": BodyKind.JSON,
    "multipart/form-data": BodyKind.FORM,
    "application/x-www-form-urlencoded": BodyKind.URL_ENCODED,
    "text/event-stream": BodyKind.EVENT_STREAM,
}
_REQUIRED_KEYS: Final = frozenset({"defined", "inferable", "code", "message"})
_ALLOWED_KEYS: Final = _REQUIRED_KEYS | {"data"}

# What pages of other sites cannot make a browser send without asking the server first.
_SAFE_FETCH_MODES: Final = frozenset({"cors", "same-origin"})


class Version2:
    """The beta of version 2."""

    dialect: Dialect = "v2"
    masked_message = "Internal Server Error"
    without_envelope = frozenset({BodyKind.NONE, BodyKind.URL_ENCODED})
    streamed = frozenset(
        {BodyKind.EVENT_STREAM, BodyKind.FORM, BodyKind.FILE, BodyKind.BYTES},
    )
    has_raw_bodies = True
    refuses = True
    has_strict_get = False
    end_of_stream: Literal["done", "close"] = "close"
    normalises_paths = True

    def body_kind(self, headers: Headers) -> BodyKind:
        """By the hint; without one by type, and by length whether it is a file."""
        hint = first_header(headers, HINT)
        if hint is not None:
            return _BY_HINT.get(hint, BodyKind.BYTES)
        content_type = (first_header(headers, "content-type") or "").partition(";")[0].strip()
        length = first_header(headers, "content-length")
        if not content_type and length in (None, "0"):
            return BodyKind.NONE
        without_length = BodyKind.BYTES if length is None else BodyKind.FILE
        return _BY_TYPE.get(content_type, without_length)

    def refusal(self, request: Request) -> ORPCError | None:
        """FORBIDDEN for what a browser sent on its own: a navigation, an image, a form."""
        modes = [value for name, value in request.headers if name == "sec-fetch-mode"]
        if not modes or ", ".join(modes).lower() in _SAFE_FETCH_MODES:
            return None
        return ORPCError("FORBIDDEN", "Request blocked by CSRF protection.")

    def is_error(self, status: int) -> bool:
        """From 400."""
        return status >= 400

    def status_of(self, error: ORPCError) -> int:
        """From the table, whatever status the error was given."""
        return STATUSES.get(error.code, 500)

    def error_to_json(self, error: ORPCError) -> dict[str, object]:
        """Without a status, and with `inferable`, which is true for the same errors."""
        known = KNOWN_CODES.get(error.code)
        is_default = error.message == (error.code if known is None else known.message)
        json: dict[str, object] = {
            "defined": error.defined,
            "inferable": error.defined,
            "code": error.code,
            "message": default_message(error.code) if is_default else error.message,
        }
        if error.data is not UNDEFINED:
            json["data"] = error.data
        return json

    def error_from_json(self, value: object) -> ORPCError | None:
        """As strict as version 1; the status is the one of the table."""
        if not isinstance(value, Mapping) or not _REQUIRED_KEYS <= value.keys() <= _ALLOWED_KEYS:
            return None
        code, message = value["code"], value["message"]
        are_flags = isinstance(value["defined"], bool) and isinstance(value["inferable"], bool)
        if not (are_flags and isinstance(code, str) and code and isinstance(message, str)):
            return None
        return ORPCError(
            code,
            message or default_message(code),
            status=STATUSES.get(code, 500),
            data=value.get("data", UNDEFINED),
            defined=value["defined"],
        )

    def foreign_error(self, status: int, headers: Mapping[str, str], body: object) -> ORPCError:
        """Always the same code; the facts are in its data."""
        return ORPCError(
            MALFORMED_ERROR_RESPONSE,
            default_message(MALFORMED_ERROR_RESPONSE),
            status=status,
            data={"status": status, "headers": dict(headers), "body": body},
        )


def default_message(code: str) -> str:
    """The code in title case."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in code.split("_"))


VERSION_2: Final[Version] = Version2()
