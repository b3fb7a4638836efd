"""Cross-origin requests of browsers (WIRE.md 9)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from durable_execution.orpc._protocol import Headers, Request, Response
from durable_execution.orpc._server.plugin import HandlerPlugin, NextRequest
from durable_execution.orpc._server.response_headers import with_vary

Origins: TypeAlias = str | Collection[str]
OriginSource: TypeAlias = Origins | Callable[[str], Origins | None]

_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")


class CORSPlugin(HandlerPlugin):
    """Lets pages of other origins call: answers preflights, and adds the headers browsers look for.

        RPCHandler(router, plugins=[CORSPlugin(origin="https://app.example", credentials=True)])

    Put it first, so that it covers the answers of all other plugins. What no procedure answers gets
    no headers, so a page cannot tell what it asked.

    Args:
        origin: Who may call: one origin, several, `"*"`, or a function of the request's `Origin`
            (empty when there is none) that gives these or None. Left out, whoever asks.
        allow_methods: For preflights.
        allow_headers: For preflights; left out, those the browser asks for.
        expose_headers: What scripts may read besides the safe ones.
        credentials: Whether browsers may send cookies.
        max_age: Seconds a browser may keep the answer to a preflight.
        timing_origin: Who may see timings, like `origin`; left out, nobody.

    Raises:
        ValueError: Credentials for any origin: every page could then act as its visitor.
    """

    def __init__(
        self,
        *,
        origin: OriginSource | None = None,
        allow_methods: Collection[str] = _METHODS,
        allow_headers: Collection[str] | None = None,
        expose_headers: Collection[str] = (),
        credentials: bool = False,
        max_age: int | None = None,
        timing_origin: OriginSource | None = None,
    ) -> None:
        if credentials and (origin is None or (not callable(origin) and "*" in _each(origin))):
            raise ValueError(
                "origin: with credentials=True, name the origins that may call with cookies"
            )
        self._origin: OriginSource = _same if origin is None else origin
        self._timing_origin = timing_origin
        self._expose = ", ".join(expose_headers)
        self._credentials = credentials
        self._allow_headers = allow_headers
        self._preflight: Headers = tuple(
            (name, value)
            for name, value in (
                ("access-control-max-age", "" if max_age is None else str(max_age)),
                ("access-control-allow-methods", ", ".join(allow_methods)),
            )
            if value
        )

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        """See `HandlerPlugin.around`."""
        is_preflight = request.method == "OPTIONS"
        response = self._answer_preflight(request) if is_preflight else await next(request)
        if response is None:
            return None
        return response.replace(headers=self._with_headers(request, response.headers))

    def _answer_preflight(self, request: Request) -> Response:
        asked = request.header("access-control-request-headers")
        allowed = asked if self._allow_headers is None else ", ".join(self._allow_headers)
        headers = () if not allowed else (("access-control-allow-headers", allowed),)
        return Response(204, (*self._preflight, *headers))

    def _with_headers(self, request: Request, headers: Headers) -> Headers:
        origin = request.header("origin") or ""
        allowed = _allowed(self._origin, origin)
        if allowed is not None:
            headers = (*headers, ("access-control-allow-origin", allowed))
        if allowed != "*":
            headers = with_vary(headers, "Origin")
        if self._timing_origin is not None:
            timing = _allowed(self._timing_origin, origin)
            headers = headers if timing is None else (*headers, ("timing-allow-origin", timing))
        if self._credentials:
            headers = (*headers, ("access-control-allow-credentials", "true"))
        if self._expose:
            headers = (*headers, ("access-control-expose-headers", self._expose))
        return headers


def _allowed(source: OriginSource, origin: str) -> str | None:
    """`*`, the origin itself, or None when it is not allowed."""
    found = source(origin) if callable(source) else source
    origins = () if found is None else _each(found)
    if "*" in origins:
        return "*"
    return origin if origin in origins else None


def _each(origins: Origins) -> Collection[str]:
    return (origins,) if isinstance(origins, str) else origins


def _same(origin: str) -> str:
    return origin
