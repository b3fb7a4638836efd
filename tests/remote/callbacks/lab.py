"""An app that takes attempts, and an executor server that it calls back: real, but for sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest  # noqa: TC002 # found by its hint
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    InMemoryStorage,
    RetryOptions,
    Storage,
    Task,
    TaskExecutionHandle,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution.client import (
    CallbackClient,
    CallbackRequest,
    create_callback_client,
    verify_callback,
)
from durable_execution.orpc import AsgiSender, ORPCClient, Request, Response, RPCConnectionError
from durable_execution.server import RPCHandler, create_callback_task, create_callbacks_router, rpc
from tests.remote.lab import client_of

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_SECRET = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVybw=="
RETRY = RetryOptions(max_retries=2, base_delay=0.01)

Answer = Callable[[CallbackRequest[Any]], Awaitable[HttpResponse]]


async def accept(request: CallbackRequest[Any]) -> HttpResponse:
    return HttpResponse(status_code=202)


def answering(status: int, body: bytes = b"", **headers: str) -> Answer:
    async def answer(request: CallbackRequest[Any]) -> HttpResponse:
        return HttpResponse(body, status, headers=headers)

    return answer


class App:
    """Answers requests as it is told, the last answer again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers) or [accept]
        self._was_asked = asyncio.Event()
        self.asked: list[CallbackRequest[Any]] = []
        self.headers: list[dict[str, str]] = []
        self.asgi = Starlette(routes=[Route("/take", self._take, methods=["POST"])])

    async def _take(self, http: HttpRequest) -> HttpResponse:
        request = verify_callback(http.headers, await http.body(), SECRET)
        self.asked.append(request)
        self.headers.append(dict(http.headers))
        self._was_asked.set()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return await answer(request)

    async def request(self, number: int = 0) -> CallbackRequest[Any]:
        """Wait for the request of that number, from 0."""
        async with asyncio.timeout(30):
            while len(self.asked) <= number:
                self._was_asked.clear()
                await self._was_asked.wait()
        return self.asked[number]


class LossySender:
    """Carries requests, and loses the answers of as many as it is told."""

    def __init__(self, inner: AsgiSender, losses: int) -> None:
        self._inner = inner
        self.losses = losses

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        response = await self._inner.send(request, max_response_size=max_response_size)
        if self.losses:
            self.losses -= 1
            raise RPCConnectionError("The connection broke", was_sent=True)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Lab:
    """An executor with a callback task, the app behind it, and what that calls back with."""

    def __init__(
        self, app: App, storage: Storage | None = None, *, losses: int = 0, **options: Any
    ) -> None:
        self.app = app
        self.storage = storage or InMemoryStorage()
        self.executor = DurableExecutor(
            self.storage, ExecutorOptions(lease=30, poll_interval=0.1, shutdown_timeout=1)
        )
        self.task = self.define(self.executor, LossySender(AsgiSender(app.asgi), losses), **options)
        self.client = client_for(self.executor, {"renderVideo": self.task})
        self.callbacks: CallbackClient = create_callback_client(self.client)

    @staticmethod
    def define(executor: DurableExecutor, sender: Any, **options: Any) -> Task[Any, Any]:
        facts: dict[str, Any] = {"id": "render", "timeout": 30}
        facts |= {name: options.pop(name) for name in ("id", "timeout", "retry") if name in options}
        given = {"secret": SECRET, "lease": 20, "request_timeout": 5, "sender": sender, **options}
        return create_callback_task(executor, facts, "http://app.example/take", **given)

    async def enqueue(self, input: object = "film") -> TaskExecutionHandle[Any]:
        return await self.executor.enqueue_task(self.task, input)

    async def row(self, handle: TaskExecutionHandle[Any]) -> ExecutionRecord:
        (row,) = await self.storage.get([handle.execution_id])
        assert row is not None
        return row

    async def parked(self, handle: TaskExecutionHandle[Any]) -> ExecutionRecord:
        """Wait until no executor holds the execution."""
        return await self.until(handle, lambda row: row.is_parked)

    async def until(
        self, handle: TaskExecutionHandle[Any], holds: Callable[[ExecutionRecord], bool]
    ) -> ExecutionRecord:
        async with asyncio.timeout(30):
            while not holds(row := await self.row(handle)):
                await asyncio.sleep(0.01)  # nobody tells of a row that has not finished
        return row


def client_for(executor: DurableExecutor, tasks: dict[str, Task[Any, Any]]) -> ORPCClient:
    return client_of(RPCHandler(create_callbacks_router(rpc, executor, tasks), prefix="/rpc"))


@asynccontextmanager
async def started(*answers: Answer, **options: Any) -> AsyncIterator[Lab]:
    lab = Lab(App(*answers), **options)
    async with lab.executor:
        yield lab


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)  # nobody tells of it
