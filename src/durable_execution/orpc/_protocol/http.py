"""A request and a response with no HTTP library behind them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec

from durable_execution.orpc._protocol.stream import Body

Headers = tuple[tuple[str, str], ...]
"""Name and value pairs in wire order; names in lower case; a repeated name is a repeated pair."""

JSON_HEADERS: Final[Headers] = (("content-type", "application/json"),)
"""Those of every message that is an envelope and nothing else."""

_NO_TRANSPORT: Final[Mapping[str, Any]] = MappingProxyType({})


class Request(msgspec.Struct, frozen=True, eq=False):
    """One call on its way to a server.

    Attributes:
        method: Upper-case method name, any token.
        path: Still percent-encoded, as on the request line.
        query: What follows `?`, still encoded, without the question mark.
        headers: Lower-case names.
        body: Complete, or a stream that whoever takes the request reads once and closes; empty
            when there is none. On a server the bodies of forms and event streams are streams:
            they are read after the procedure is found, as far as it asks for them.
        origin: `scheme://host[:port]` where a client sends it; empty on a server.
        transport: What the transport knows besides; under ASGI the connection's scope.
        outer: The request that crossed the wire, where this one was only a part of it.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: Body = b""
    origin: str = ""
    transport: Mapping[str, Any] = _NO_TRANSPORT
    outer: Request | None = None

    @property
    def target(self) -> str:
        """Path and query as they stand on the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def url(self) -> str:
        """The absolute URL; only the target when the origin is unknown."""
        return self.origin + self.target

    def header(self, name: str) -> str | None:
        """The first value of a header by its lower-case name."""
        return first_header(self.headers, name)

    def replace(self, **changes: Any) -> Self:
        """The same request with other attributes."""
        return msgspec.structs.replace(self, **changes)

    def __eq__(self, other: object) -> bool:
        """Whether it says the same on the wire, wherever it came from."""
        if not isinstance(other, Request):
            return NotImplemented
        return self._said() == other._said()

    def __hash__(self) -> int:
        return hash(self._said())

    def __repr__(self) -> str:
        # Neither headers nor body: they carry credentials, and a repr ends up in logs.
        return f"Request({self.method} {self.url})"

    def _said(self) -> tuple[object, ...]:
        return self.method, self.path, self.query, self.headers, self.body, self.origin


class Response(msgspec.Struct, frozen=True):
    """One answer on its way back.

    Attributes:
        status: The HTTP status.
        headers: Lower-case names.
        body: Complete, or a stream: then status and headers are here before it, and whoever takes
            the response reads it once and closes it.
    """

    status: int
    headers: Headers = ()
    body: Body = b""

    def header(self, name: str) -> str | None:
        """The first value of a header by its lower-case name."""
        return first_header(self.headers, name)

    def replace(self, **changes: Any) -> Self:
        """The same response with other attributes: `response.replace(headers=(...))`."""
        return msgspec.structs.replace(self, **changes)


def first_header(headers: Headers, name: str) -> str | None:
    """The first value under a lower-case name: Node.js keeps the first of repeated body headers."""
    # A loop: at this length a generator costs three times as much.
    for key, value in headers:
        if key == name:
            return value
    return None
