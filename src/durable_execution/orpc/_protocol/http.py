"""A request and a response with no HTTP library behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from durable_execution.orpc._protocol.stream import Body

Headers = tuple[tuple[str, str], ...]
"""Name and value pairs in wire order; names in lower case; a repeated name is a repeated pair."""


@dataclass(frozen=True, slots=True)
class Request:
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
    transport: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    outer: Request | None = field(default=None, compare=False, repr=False)

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


@dataclass(frozen=True, slots=True)
class Response:
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


def first_header(headers: Headers, name: str) -> str | None:
    """The first value under a lower-case name: Node.js keeps the first of repeated body headers."""
    # A loop: at this length a generator costs three times as much.
    for key, value in headers:
        if key == name:
            return value
    return None
