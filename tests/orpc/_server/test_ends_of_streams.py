"""Who ends an event stream, and that its generator is closed where it ran."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from durable_execution._codec import TypedJson
from durable_execution.orpc import (
    CallContext,
    EventStreamOptions,
    Procedure,
    Request,
    RPCHandler,
    rpc,
)
from durable_execution.orpc._protocol import close_body
from durable_execution.orpc._server.handler import ProcedureHandler
from tests.orpc._server.driver import Connection, scope_of
from tests.orpc._server.streaming import EVENTS, QUIET, stream
from tests.orpc.pieces import Pieces


class Open:
    """A caller that reads a stream until it leaves."""

    def __init__(self, procedure: Procedure, events: EventStreamOptions = QUIET) -> None:
        self.connection = Connection([b"{}"])
        app = RPCHandler(procedure, events=events)
        serving = app(scope_of("POST", "/"), self.connection.receive, self.connection.send)
        self.serving = asyncio.create_task(serving)

    async def leave(self) -> None:
        self.connection.hang_up.set()
        await self.serving


async def test_reader_that_leaves_ends_the_generator_and_its_clean_up_is_awaited() -> None:
    waiting, cleaned = asyncio.Event(), asyncio.Event()

    async def handler() -> AsyncIterator[int]:
        try:
            yield 1
            waiting.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    before = asyncio.all_tasks()
    caller = Open(rpc.handler(handler))
    await waiting.wait()
    await caller.leave()

    assert cleaned.is_set()
    assert asyncio.all_tasks() == before
    assert caller.connection.sent[-1]["more_body"]


async def test_reader_that_leaves_closes_a_generator_that_waits_at_its_yield() -> None:
    ended_by: list[type[BaseException]] = []

    async def handler() -> AsyncIterator[int]:
        try:
            yield 1
        except BaseException as error:
            ended_by.append(type(error))
            raise

    class Slow(Connection):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if message.get("more_body"):
                self.hang_up.set()
                await asyncio.Event().wait()

    connection = Slow([b"{}"])
    await RPCHandler(rpc.handler(handler), events=QUIET)(
        scope_of("POST", "/"), connection.receive, connection.send
    )

    assert ended_by == [GeneratorExit]


async def test_generator_that_swallows_its_cancellation_is_closed_all_the_same() -> None:
    waiting = asyncio.Event()

    async def handler() -> AsyncIterator[int]:
        while True:
            try:
                waiting.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield 1

    caller = Open(rpc.handler(handler))
    await waiting.wait()

    await asyncio.wait_for(caller.leave(), 5)


async def test_error_while_closing_is_logged_and_told_to_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting = asyncio.Event()

    async def handler() -> AsyncIterator[int]:
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield 1
        finally:
            raise LookupError("in the clean-up")

    caller = Open(rpc.handler(handler))
    await waiting.wait()
    with caplog.at_level(logging.ERROR):
        await caller.leave()

    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [LookupError]


async def test_generator_goes_on_only_after_its_last_event_was_sent() -> None:
    steps: list[str] = []

    async def handler() -> AsyncIterator[int]:
        for n in range(3):
            steps.append(f"made {n}")
            yield n

    class Noting(Connection):
        async def send(self, message: Any) -> None:
            if message.get("body"):
                await asyncio.sleep(0)
                steps.append("sent")

    connection = Noting([b"{}"])
    await RPCHandler(rpc.handler(handler), events=QUIET)(
        scope_of("POST", "/"), connection.receive, connection.send
    )

    assert steps == ["made 0", "sent", "made 1", "sent", "made 2", "sent", "sent"]


async def test_whole_generator_runs_in_one_task_and_context() -> None:
    variable: ContextVar[int] = ContextVar("variable")
    tasks: set[object] = set()

    async def handler() -> AsyncIterator[int]:
        variable.set(7)
        async with asyncio.timeout(60):
            tasks.add(asyncio.current_task())
            yield variable.get()
            tasks.add(asyncio.current_task())
            yield variable.get()
        tasks.add(asyncio.current_task())

    answer = await stream(rpc.handler(handler))

    assert answer.body.count(b'{"json":7}') == 2
    assert len(tasks) == 1


async def test_generator_is_closed_in_the_task_it_ran_in() -> None:
    tasks: list[object] = []

    async def handler() -> AsyncIterator[int]:
        tasks.append(asyncio.current_task())
        try:
            yield 1
        finally:
            tasks.append(asyncio.current_task())

    class Leaving(Connection):
        async def send(self, message: Any) -> None:
            if message.get("more_body"):
                self.hang_up.set()
                await asyncio.Event().wait()

    connection = Leaving([b"{}"])
    await RPCHandler(rpc.handler(handler), events=QUIET)(
        scope_of("POST", "/"), connection.receive, connection.send
    )

    assert len(tasks) == 2
    assert tasks[0] is tasks[1]


@pytest.mark.parametrize("ends", ["value", "stream", "cancelled"])
async def test_body_of_a_request_is_closed_with_its_answer(ends: str) -> None:
    begun = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        yield 1

    async def handler(ctx: CallContext, value: Any) -> Any:
        begun.set()
        if ends == "cancelled":
            await asyncio.Event().wait()
        return numbers() if ends == "stream" else 1

    body = Pieces([b"data: {}\n\n"])
    server = ProcedureHandler(rpc.handler(handler), codec=TypedJson())
    request = Request("POST", "/", headers=EVENTS, body=body)
    answering = asyncio.create_task(server.handle(request))
    await begun.wait()
    if ends == "cancelled":
        answering.cancel()
        await asyncio.wait((answering,))
    else:
        response = await answering
        assert response is not None
        if ends == "stream":
            assert body.times_closed == 0
            await close_body(response.body)
    assert body.times_closed == 1


async def test_plain_generator_is_closed_when_its_reader_leaves() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def handler() -> Iterator[int]:
        try:
            while True:
                yield 1
                loop.call_soon_threadsafe(begun.set)
        finally:
            loop.call_soon_threadsafe(closed.set)

    caller = Open(rpc.handler(handler))
    await begun.wait()
    await caller.leave()
    await asyncio.wait_for(closed.wait(), 5)
