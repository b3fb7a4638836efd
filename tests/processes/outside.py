"""A task whose work is done in another program: an app of the test, which knows no executor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 # found by its hint
from starlette.responses import Response
from starlette.routing import Route

from durable_execution import DurableExecutor, RetryOptions, Task, Tasks
from durable_execution.client import (
    CallbackClient,
    CallbackRequest,
    RPCLink,
    create_callback_client,
    create_orpc_client,
    verify_callback,
)
from durable_execution.orpc import AsgiSender
from durable_execution.server import RPCHandler, create_callback_task, create_callbacks_router, rpc

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
REQUEST_LIMIT = 1.0
"""Seconds that the platform of the app gives each of its requests."""

Answer = Callable[[CallbackRequest[Any]], Awaitable[Response]]


def outside_at(definitions: Tasks | DurableExecutor, url: str, lease: float) -> Task[Any, Any]:
    return create_callback_task(
        definitions,
        {"id": "outside", "timeout": 60, "retry": RetryOptions(max_retries=1)},
        url,
        secret=SECRET,
        lease=lease,
    )


class App:
    """Takes attempts as it is told; what lasts longer than a request goes on behind it."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[CallbackRequest[Any]] = []
        self.url = ""
        self._behind: set[asyncio.Task[None]] = set()
        self._asgi = Starlette(routes=[Route("/take", self._take, methods=["POST"])])

    def go_on(self, work: Awaitable[None]) -> None:
        """Do some work after the request has been answered."""

        async def run() -> None:
            await work

        job = asyncio.create_task(run())
        self._behind.add(job)

    async def settled(self) -> None:
        """Wait for all such work, and raise what any of it raised."""
        await asyncio.gather(*self._behind)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        config = uvicorn.Config(self._asgi, port=0, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign] # pytest's are its own
        job = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)  # uvicorn offers nothing to wait for
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/take"
        try:
            yield
        finally:
            server.should_exit = True
            await job

    async def _take(self, http: Request) -> Response:
        request = verify_callback(http.headers, await http.body(), SECRET)
        self.asked.append(request)
        async with asyncio.timeout(REQUEST_LIMIT):
            return await self.answer(request)


def callbacks_of(executor: DurableExecutor, task: Task[Any, Any]) -> CallbackClient:
    handler = RPCHandler(create_callbacks_router(rpc, executor, {"outside": task}), prefix="/rpc")
    link = RPCLink("http://server/rpc", sender=AsgiSender(handler))
    return create_callback_client(create_orpc_client(link))
