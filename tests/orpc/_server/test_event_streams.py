"""Procedures that give event streams, and procedures that are given some."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Generator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from durable_execution._codec import TypedJson
from durable_execution.orpc import (
    CallContext,
    Event,
    EventStream,
    EventStreamOptions,
    Next,
    ORPCError,
    Procedure,
    Request,
    Return,
    RPCHandler,
    call,
    rpc,
)
from durable_execution.orpc._protocol import close_body
from durable_execution.orpc._server.handler import ProcedureHandler
from tests.orpc._server.driver import Answer, Connection, ask, scope_of
from tests.orpc.pieces import Pieces

QUIET = EventStreamOptions(initial_comment=None)
EVENTS = (("content-type", "text/event-stream"),)
MASKED = (
    b'event: error\ndata: {"json":{"defined":false,"code":"INTERNAL_SERVER_ERROR","status":500,'
    b'"message":"Internal server error"}}\n\n'
)


async def stream(procedure: Procedure, body: bytes = b"{}", **options: Any) -> Answer:
    app = RPCHandler(procedure, events=options.pop("events", QUIET), **options)
    return await ask(app, "/", body, headers=options.pop("headers", ()))


async def stream_with(procedure: Procedure, events: bytes, **options: Any) -> Answer:
    return await ask(RPCHandler(procedure, events=QUIET, **options), "/", events, headers=EVENTS)


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


async def test_metadata_of_an_event_is_sent_in_the_order_every_client_reads() -> None:
    async def handler() -> AsyncIterator[Any]:
        yield Event({"n": 1}, id="7", retry=1.5, comments=["c"])
        yield Return(2, id="8")

    answer = await stream(rpc.handler(handler))

    assert answer.headers["content-type"] == "text/event-stream"
    assert "content-length" not in answer.headers
    assert answer.pieces == (
        b': c\nevent: message\nretry: 1500\nid: 7\ndata: {"json":{"n":1}}\n\n',
        b'event: done\nid: 8\ndata: {"json":2}\n\n',
    )


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


async def test_comments_fill_the_silence_without_disturbing_the_generator() -> None:
    async def handler() -> AsyncIterator[int]:
        await asyncio.sleep(0.05)  # five intervals; at least one comment has to come
        yield 1

    answer = await stream(
        rpc.handler(handler), events=EventStreamOptions(keep_alive=0.01, initial_comment="hello")
    )

    assert answer.pieces[0] == b": hello\n\n"
    assert answer.pieces[1] == b": \n\n"
    assert answer.pieces[-2] == b'event: message\ndata: {"json":1}\n\n'


async def test_stream_without_keep_alive_is_sent_as_well() -> None:
    async def handler() -> AsyncIterator[int]:
        yield 1
        raise ORPCError("CONFLICT")

    answer = await stream(rpc.handler(handler), events=EventStreamOptions(keep_alive=None))

    assert [piece.partition(b"\n")[0] for piece in answer.pieces] == [
        b": ",
        b"event: message",
        b"event: error",
    ]


async def test_declared_error_amid_a_stream_is_defined() -> None:
    async def handler(ctx: CallContext) -> AsyncIterator[int]:
        yield 1
        raise ORPCError("GONE", status=410, data=2)

    procedure = rpc.errors({"GONE": {"status": 410, "data": int}}).handler(handler)
    answer = await stream(procedure)

    assert answer.status == 200
    assert b'{"defined":true,"code":"GONE"' in answer.pieces[-1]


@pytest.mark.parametrize(
    "bad", [ValueError("secret"), asyncio.CancelledError(), RecursionError("secret")]
)
async def test_unexpected_error_amid_a_stream_is_masked_and_logged(
    bad: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler() -> AsyncIterator[int]:
        yield 1
        raise bad

    answer = await stream(rpc.handler(handler))

    assert answer.pieces[-1] == MASKED
    (record,) = caplog.records
    assert vars(record)["error_id"] == answer.headers["x-error-id"]


async def test_event_that_cannot_be_encoded_ends_the_stream_masked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed = asyncio.Event()

    async def handler() -> AsyncIterator[Any]:
        try:
            yield object()
            yield 1
        finally:
            closed.set()

    answer = await stream(rpc.handler(handler))

    assert answer.pieces == (MASKED,)
    assert closed.is_set()
    assert len(caplog.records) == 1


async def test_each_event_must_be_what_the_hint_says() -> None:
    async def handler() -> AsyncIterator[int | Event[int] | Return[str]]:
        yield 1
        yield Event(2, id="x")
        yield "three"  # type: ignore[misc]  # the point of the test

    answer = await stream(rpc.handler(handler))

    assert [piece.partition(b"\n")[0] for piece in answer.pieces] == [
        b"event: message",
        b"event: message",
        b"event: error",
    ]
    assert b'"Output validation failed"' in answer.pieces[-1]


@pytest.mark.parametrize(("value", "name"), [("total", b"done"), (7, b"error")])
async def test_return_value_must_be_what_the_hint_says(value: Any, name: bytes) -> None:
    async def handler() -> AsyncIterator[int | Return[str]]:
        yield Return(value)

    assert (await stream(rpc.handler(handler))).pieces[0].startswith(b"event: " + name)


async def test_answer_that_should_be_a_stream_but_is_not_is_a_500() -> None:
    async def handler() -> Any:
        return 7

    answer = await stream(rpc.output(AsyncIterator[int]).handler(handler))

    assert (answer.status, answer.error()["message"]) == (500, "Output validation failed")


async def test_stream_that_should_be_a_value_is_a_500_and_closed() -> None:
    closed = asyncio.Event()

    class Values:
        def __aiter__(self) -> AsyncIterator[int]:
            return self

        async def __anext__(self) -> int:
            return 1

        async def aclose(self) -> None:
            closed.set()

    async def handler() -> Any:
        return Values()

    answer = await stream(rpc.output(int).handler(handler))

    assert answer.error()["message"] == "Output validation failed"
    assert closed.is_set()


async def test_plain_generator_runs_in_a_thread_and_returns_its_own_return_value() -> None:
    def handler() -> Generator[int, None, str]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        yield 1
        return "total"

    answer = await stream(rpc.handler(handler))

    assert answer.pieces == (
        b'event: message\ndata: {"json":1}\n\n',
        b'event: done\ndata: {"json":"total"}\n\n',
    )


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


async def test_middleware_may_watch_and_replace_the_stream() -> None:
    async def doubling(ctx: CallContext, value: Any, proceed: Next) -> Any:
        numbers = await proceed()

        async def doubled() -> AsyncIterator[int]:
            async for number in numbers:
                yield number * 2

        return doubled()

    async def handler() -> AsyncIterator[int]:
        yield 1
        yield 2

    answer = await stream(rpc.use(doubling).handler(handler))

    assert [piece for piece in answer.pieces if b"json" in piece] == [
        b'event: message\ndata: {"json":2}\n\n',
        b'event: message\ndata: {"json":4}\n\n',
    ]


async def test_direct_call_gives_the_stream_with_no_wire_between() -> None:
    async def handler(ctx: CallContext, value: int) -> AsyncIterator[int | Return[str]]:
        yield value
        yield Return("total")

    numbers = await call(rpc.handler(handler), 7)

    assert isinstance(numbers, EventStream)
    assert [number async for number in numbers] == [7]
    assert numbers.return_value == "total"


async def total(ctx: CallContext, numbers: AsyncIterator[int]) -> int:
    return sum([number async for number in numbers])


async def test_input_that_is_a_stream_is_read_as_it_is_sent() -> None:
    answer = await stream_with(rpc.handler(total), b'data: {"json":1}\n\ndata: {"json":2}\n\n')

    assert answer.json() == {"json": 3}


async def test_direct_call_takes_any_async_iterator_as_input() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2

    assert await call(rpc.handler(total), numbers()) == 3


async def test_events_are_answered_while_the_input_still_arrives() -> None:
    async def handler(ctx: CallContext, numbers: AsyncIterator[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield number * 10

    sent: list[bytes] = []
    turn = asyncio.Event()
    pieces = [b'data: {"json":1}\n\n', b'data: {"json":2}\n\n']

    async def receive() -> Any:
        await turn.wait()
        turn.clear()
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(message: Any) -> None:
        if message.get("body"):
            sent.append(message["body"])
        turn.set()

    await RPCHandler(rpc.handler(handler), events=QUIET)(
        scope_of("POST", "/", EVENTS), receive, send
    )

    assert sent == [
        b'event: message\ndata: {"json":10}\n\n',
        b'event: message\ndata: {"json":20}\n\n',
        b"event: done\ndata: {}\n\n",
    ]


@pytest.mark.parametrize(
    ("events", "code", "message"),
    [
        (b'data: {"json":"one"}\n\n', "BAD_REQUEST", "Input validation failed"),
        (b"data: {oops\n\n", "BAD_REQUEST", "Malformed request."),
        (b'data: {"json":1}\n\ndata: {"js', "BAD_REQUEST", "Event Iterator ended before"),
        (b"data: " + b"x" * 1001, "BAD_REQUEST", "One event is larger than 1000 bytes"),
        (b'event: error\ndata: {"json":1}\n\n', "BAD_REQUEST", "An error event was received"),
        (
            b'event: error\ndata: {"json":{"defined":false,"code":"GONE","status":410,'
            b'"message":"m"}}\n\n',
            "GONE",
            "m",
        ),
    ],
    ids=["type", "json", "cut off", "too large", "error", "oRPC error"],
)
async def test_bad_event_is_raised_where_the_handler_reads_it(
    events: bytes, code: str, message: str
) -> None:
    answer = await stream_with(rpc.handler(total), events, max_body_size=1000)

    error = answer.error()
    assert error["code"] == code
    assert error["message"].startswith(message)


async def test_stream_as_input_where_a_value_is_expected_is_a_400() -> None:
    answer = await stream_with(rpc.input(int).handler(lambda ctx, value: value), b"")

    assert answer.error()["message"] == "Input validation failed"


async def test_value_as_input_where_a_stream_is_expected_is_a_400() -> None:
    answer = await ask(RPCHandler(rpc.handler(total)), "/", b'{"json":[1,2]}')

    assert answer.error()["data"]["issues"] == [
        {"message": "expected an event stream, got list", "path": []}
    ]


async def test_long_stream_of_short_events_is_no_large_body() -> None:
    events = b'data: {"json":1}\n\n' * 1000

    answer = await stream_with(rpc.handler(total), events, max_body_size=100)

    assert answer.json() == {"json": 1000}


@pytest.mark.parametrize("options", [{"keep_alive": 0}, {"initial_comment": "a\nb"}])
def test_unusable_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"keep_alive|comment"):
        EventStreamOptions(**options)
