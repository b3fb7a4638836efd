"""What differs between the dialects beyond the codec: bodies, errors, statuses (WIRE.md 11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from durable_execution._codec import Dialect, checked_dialect
from durable_execution.orpc._protocol.body import BodyKind, body_kind
from durable_execution.orpc._protocol.error import ORPCError, error_for_status
from durable_execution.orpc._protocol.http import Headers, Request


class Version(Protocol):
    """One dialect, as both sides need it; `version_of` gives it.

    Attributes:
        dialect: Its name.
        masked_message: What the caller is told of an unexpected exception.
        without_envelope: Kinds of bodies that mean undefined, whatever is in them.
        streamed: Kinds of bodies that are read in pieces.
        has_raw_bodies: Whether a file or a byte stream as the whole value is the body itself.
        refuses: Whether some requests are refused before their body is looked at.
        has_strict_get: Whether a GET call needs a procedure declared with that method.
        end_of_stream: The name of the last event of a stream that did not fail.
        normalises_paths: Whether a path that leads nowhere is tried in its usual encoding.
    """

    dialect: Dialect
    masked_message: str
    without_envelope: frozenset[BodyKind]
    streamed: frozenset[BodyKind]
    has_raw_bodies: bool
    refuses: bool
    has_strict_get: bool
    end_of_stream: Literal["done", "close"]
    normalises_paths: bool

    def body_kind(self, headers: Headers) -> BodyKind:
        """How a body with these headers is to be read."""
        ...

    def refusal(self, request: Request) -> ORPCError | None:
        """The error for a request that is refused before its body is looked at."""
        ...

    def is_error(self, status: int) -> bool:
        """Whether a response with this status is a failure."""
        ...

    def status_of(self, error: ORPCError) -> int:
        """The HTTP status of the response that carries an error."""
        ...

    def error_to_json(self, error: ORPCError) -> dict[str, object]:
        """The error object, to be put into an envelope."""
        ...

    def error_from_json(self, value: object) -> ORPCError | None:
        """The error a decoded error object stands for; None when it is none."""
        ...

    def foreign_error(self, status: int, headers: Mapping[str, str], body: object) -> ORPCError:
        """The error for an error response without an error object in it."""
        ...


class Version1:
    """Version 1 (WIRE.md 4.4, 5, 6)."""

    dialect: Dialect = "v1"
    # Lower-case s and e, unlike the default message of the same code.
    masked_message = "Internal server error"
    # These decode to strings, parameters or files. None of them has a `json` property, so the
    # envelope reader finds undefined in all of them: there is no need to read them at all.
    without_envelope = frozenset({BodyKind.URL_ENCODED, BodyKind.TEXT, BodyKind.FILE})
    streamed = frozenset({BodyKind.EVENT_STREAM, BodyKind.FORM})
    has_raw_bodies = False
    refuses = False
    has_strict_get = True
    end_of_stream: Literal["done", "close"] = "done"
    normalises_paths = False

    def body_kind(self, headers: Headers) -> BodyKind:
        """See `Version.body_kind`."""
        return body_kind(headers)

    def refusal(self, request: Request) -> ORPCError | None:
        """None: version 1 looks at the method only, and after the body (WIRE.md 5)."""
        return None

    def is_error(self, status: int) -> bool:
        """Everything but 200..399, redirects being successes."""
        return not 200 <= status <= 399

    def status_of(self, error: ORPCError) -> int:
        """The error's own, unless it is one no HTTP server can send as a final answer."""
        return error.status if 400 <= error.status <= 999 else 500

    def error_to_json(self, error: ORPCError) -> dict[str, object]:
        """See `ORPCError.to_json`."""
        return error.to_json()

    def error_from_json(self, value: object) -> ORPCError | None:
        """See `ORPCError.from_json`."""
        return ORPCError.from_json(value)

    def foreign_error(self, status: int, headers: Mapping[str, str], body: object) -> ORPCError:
        """See `error_for_status`."""
        return error_for_status(status, headers=headers, body=body)


VERSION_1: Final[Version] = Version1()


def version_of(dialect: Dialect) -> Version:
    """The rules of a dialect.

    Raises:
        ValueError: Neither "v1" nor "v2".
    """
    if checked_dialect(dialect) == "v1":
        return VERSION_1
    from durable_execution.orpc._protocol.version2 import VERSION_2

    return VERSION_2
