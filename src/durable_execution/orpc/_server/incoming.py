"""A request that came in, looked at only as far as its answer asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Self

from durable_execution.orpc._protocol import HINT, Body, BodyKind, Request, Version
from durable_execution.orpc._server.headers import RequestHeaders

_JSON: Final = b"application/json"
# What says more about a body than its type does.
_DISPOSITION: Final = b"content-disposition"
_HINT: Final = HINT.encode()


class Incoming:
    """One call on its way to a procedure: what most need of it, and the rest when it is asked for.

    Attributes:
        method: Upper-case method name.
        path: Below the place of the handler, still percent-encoded.
        headers: Decoded when they are looked at.
        body: As in `Request`.
        transport: The scope of the connection.
        crossed: The method of the request that crossed the wire, which this one may be a part of.
        task: What answers it.
    """

    __slots__ = (
        "_kind",
        "_request",
        "body",
        "crossed",
        "headers",
        "method",
        "path",
        "task",
        "transport",
    )

    def __init__(
        self,
        method: str,
        path: str,
        headers: RequestHeaders,
        transport: Mapping[str, Any],
        request: Request | None = None,
    ) -> None:
        self.method = self.crossed = method
        self.path = path
        self.headers = headers
        self.body: Body = b""
        self.transport = transport
        self.task = asyncio.current_task()
        self._request = request
        self._kind: BodyKind | None = None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Take a request that was made already."""
        headers = RequestHeaders(request.headers)
        incoming = cls(request.method, request.path, headers, request.transport, request)
        incoming.crossed = (request.outer or request).method
        incoming.body = request.body
        return incoming

    @property
    def request(self) -> Request:
        """All of it; made when it is first asked for, which is after the body is there."""
        if self._request is None:
            query = self.transport.get("query_string", b"").decode("latin-1")
            self._request = Request(
                self.method,
                self.path,
                query,
                self.headers.pairs,
                self.body,
                transport=self.transport,
            )
        return self._request

    def body_kind(self, version: Version) -> BodyKind:
        """How the body is to be read; asked twice of most requests."""
        if self._kind is None:
            self._kind = self._found_kind(version)
        return self._kind

    def _found_kind(self, version: Version) -> BodyKind:
        found = self.headers.found
        if (
            found is not None
            and found.get(b"content-type") == _JSON
            and _DISPOSITION not in found
            and _HINT not in found
        ):
            return BodyKind.JSON  # in every version, and as good as always
        return version.body_kind(self.headers.pairs)
