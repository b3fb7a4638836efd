"""What may stand around every request of a handler: the seam that CORS and its like are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol, TypeAlias, runtime_checkable

from durable_execution.orpc._protocol import Request, Response, close_body
from durable_execution.orpc._server.procedure import Procedure

NextRequest: TypeAlias = Callable[[Request], Awaitable[Response | None]]
"""Answers a request as if the plugin were not there; None when no procedure is at its path.

It never raises: what went wrong further inside is a response already. It may be called any number
of times, with the request as it came or another one.
"""

Refuse: TypeAlias = Callable[[Exception], Response]


@runtime_checkable
class HandlerPlugin(Protocol):
    """One feature around all requests of an `RPCHandler`. Derive from it and write what is needed.

        class Timing(HandlerPlugin):
            async def around(self, request: Request, next: NextRequest) -> Response | None:
                started = perf_counter()
                response = await next(request)
                histogram.observe(perf_counter() - started)
                return response

    One plugin serves many requests at once, so it keeps nothing about one of them in itself. What
    concerns single procedures is a middleware instead.
    """

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        """Answer a request under the handler's prefix, before a procedure is looked for.

        `request.path` begins below the place the handler is mounted at. None leaves the answer to
        the application: 404.

        Raises:
            ORPCError: Becomes the answer.
        """
        return await next(request)

    def check(self, request: Request, path: tuple[str, ...], procedure: Procedure) -> None:
        """Look at a call whose input was decoded but not validated yet (WIRE.md 5).

        Args:
            request: The request that crossed the wire, for a call in a batch the whole batch.
            path: Names from the root of the router to the procedure.
            procedure: What is going to be called.

        Raises:
            ORPCError: Becomes the answer; the procedure is not called.
        """
        # With nothing but its words, type checkers take it for abstract.
        return


class Plugins:
    """The plugins of one handler, the first one outermost.

    Raises:
        TypeError: One of them is no plugin.
    """

    def __init__(self, plugins: Iterable[HandlerPlugin], *, refuse: Refuse) -> None:
        given = list(plugins)
        for plugin in given:
            if isinstance(plugin, type) or not isinstance(plugin, HandlerPlugin):
                raise TypeError(f"plugins: expected instances of HandlerPlugin, got {plugin!r}")
        self._around = [p for p in given if type(p).around is not HandlerPlugin.around]
        self._checking = [p for p in given if type(p).check is not HandlerPlugin.check]
        self._refuse = refuse
        self.see_requests: Final = bool(self._around)
        """Whether one of them wants to see requests, also those no procedure is there for."""
        self.check_calls: Final = bool(self._checking)
        """Whether one of them wants to look at calls."""

    async def answer(self, request: Request, innermost: NextRequest) -> Response | None:
        """Pass a request through all of them, to `innermost` and back."""
        return await self._step(0, request, innermost)

    def check(self, request: Request, path: tuple[str, ...], procedure: Procedure) -> None:
        """Ask all of them; see `HandlerPlugin.check`."""
        for plugin in self._checking:
            plugin.check(request.outer or request, path, procedure)

    async def _step(self, index: int, request: Request, innermost: NextRequest) -> Response | None:
        if index == len(self._around):
            return await innermost(request)

        given: list[Response] = []

        async def proceed(request: Request) -> Response | None:
            response = await self._step(index + 1, request, innermost)
            if response is not None:
                given.append(response)
            return response

        try:
            return await self._around[index].around(request, proceed)
        except BaseException as error:
            # Nobody is going to read what the plugin was given.
            for response in given:
                await close_body(response.body)
            if not isinstance(error, Exception):
                raise
            # Here and not outside: those further out still add their headers to this answer.
            return self._refuse(error)
