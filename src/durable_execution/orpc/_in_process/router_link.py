"""A link to a router in this process, for tests and for applications in one piece."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from durable_execution._codec import UNDEFINED, Undefined
from durable_execution.orpc._client import HeaderMapping, ORPCClient, RPCTimeoutError
from durable_execution.orpc._client.codec import Method
from durable_execution.orpc._client.headers import header_pairs, wire_headers
from durable_execution.orpc._client.procedure_path import checked_path, path_name
from durable_execution.orpc._client.timeout import Timeout, seconds_of
from durable_execution.orpc._protocol import ORPCError, encode_path
from durable_execution.orpc._server import CallContext, Lazy, Procedure, RequestHeaders, Router
from durable_execution.orpc._server.call import run
from durable_execution.orpc._server.declared import ErrorConstructors
from durable_execution.orpc._server.routes import Routes

CallContextSource: TypeAlias = (
    Mapping[str, Any] | Callable[[], Mapping[str, Any] | Awaitable[Mapping[str, Any]]] | None
)
"""The first context of every call: one for all, or made for each, sync or async."""


class RouterLink:
    """Carries calls to a router in this process: no socket, no HTTP, no encoding.

    Middlewares run, inputs and outputs are validated, and errors are marked as on the wire. Unlike
    there, values arrive as the objects they are, shared by both sides, and an exception that is no
    `ORPCError` comes out as it was raised. What is to be exactly as over the network goes through
    `RPCLink(url, sender=AsgiSender(app))`.

    Args:
        router: What an `RPCHandler` takes.
        context: First context of every call: a mapping, or a function giving one.

    Raises:
        TypeError: The router holds something that is neither a procedure nor a router.
        ValueError: The router contains itself.
    """

    def __init__(
        self, router: Router | Procedure | Lazy, *, context: CallContextSource = None
    ) -> None:
        self._routes = Routes(router)
        self._context = context

    async def call(
        self,
        path: Sequence[str],
        input: object = UNDEFINED,
        *,
        headers: HeaderMapping | None = None,
        timeout: Timeout | Undefined = UNDEFINED,
        last_event_id: str | None = None,
        method: Method | None = None,
    ) -> object:
        """Call the procedure at `path` and return its output. The method plays no part.

        Raises:
            ORPCError: The procedure says no, or there is none (`NOT_FOUND`).
            RPCTimeoutError: It took longer than `timeout`; by default there is no limit.
            Exception: Anything else that the procedure raises.
        """
        names = checked_path(path)
        seconds = None if isinstance(timeout, Undefined) else seconds_of(timeout)
        match = await self._routes.find(encode_path(names))
        if match is None:
            raise ORPCError("NOT_FOUND", f"No procedure at {path_name(names)}")
        try:
            async with asyncio.timeout(seconds) as deadline:
                ctx = CallContext(
                    path=match.path,
                    # A copy: what one handler does to it must not reach the next call.
                    context=dict(await self._first_context()),
                    headers=RequestHeaders(header_pairs(wire_headers(headers or {}))),
                    errors=ErrorConstructors(match.procedure.errors),
                    last_event_id=last_event_id,
                )
                return await run(match.procedure, ctx, input)
        except TimeoutError as error:
            # A timeout of the procedure's own is not ours to rename.
            if not deadline.expired():
                raise
            raise RPCTimeoutError(f"No answer within {seconds:g} seconds") from error

    def __repr__(self) -> str:
        return "<RouterLink>"

    async def _first_context(self) -> Mapping[str, Any]:
        if not callable(self._context):
            return self._context or {}
        made = self._context()
        return await made if inspect.isawaitable(made) else made


def create_router_client(
    router: Router | Procedure | Lazy, *, context: CallContextSource = None
) -> ORPCClient:
    """A client of a router in this process; see `RouterLink`.

        client = create_router_client(router, context={"user": ada})
        planet = await client.planets.find({"id": 1})

    The typed client of a contract is `create_orpc_client(RouterLink(router), contract=App)`, one
    that blocks is `create_orpc_client(SyncLink(RouterLink(router)))`.

    Raises:
        TypeError, ValueError: The router is none.
    """
    return ORPCClient(RouterLink(router, context=context))
