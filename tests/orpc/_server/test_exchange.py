"""The far end of an ASGI exchange, with no procedure behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from durable_execution.orpc._protocol import Response
from durable_execution.orpc._server.exchange import Caller, CallerGoneError, Soon
from tests.orpc._server.driver import Connection
from tests.orpc.pieces import Pieces

STREAM = (("content-type", "text/event-stream"),)


def caller_on(connection: Connection) -> Caller:
    return Caller(connection.receive, connection.send, Soon())


async def test_streamed_body_goes_out_piece_by_piece_without_a_length() -> None:
    connection = Connection()
    body = Pieces([b"a", b"b"])

    await caller_on(connection).answer(Response(200, STREAM, body), "POST")

    start, *bodies = connection.sent
    assert start["headers"] == [(b"content-type", b"text/event-stream")]
    assert [(message["body"], message.get("more_body", False)) for message in bodies] == [
        (b"a", True),
        (b"b", True),
        (b"", False),
    ]
    assert body.times_closed == 1


async def test_head_gets_no_body_and_the_stream_is_closed_unread() -> None:
    connection = Connection()
    body = Pieces([b"a"])

    await caller_on(connection).answer(Response(200, STREAM, body), "HEAD")

    assert [message.get("body") for message in connection.sent[1:]] == [b""]
    assert (body.left, body.times_closed) == (1, 1)


async def test_caller_that_leaves_cancels_what_makes_the_body() -> None:
    connection = Connection()
    ended_by: list[type[BaseException]] = []
    waiting = asyncio.Event()

    async def body() -> AsyncGenerator[bytes, None]:
        try:
            yield b"a"
            waiting.set()
            await asyncio.Event().wait()
        except BaseException as error:
            ended_by.append(type(error))
            raise

    caller = caller_on(connection)
    serving = asyncio.create_task(
        caller.while_waiting(caller.answer(Response(200, STREAM, body()), "POST"))
    )
    await waiting.wait()
    connection.hang_up.set()
    await serving

    assert ended_by == [asyncio.CancelledError]
    assert [message["type"] for message in connection.sent] == [
        "http.response.start",
        "http.response.body",
    ]


async def test_body_is_read_in_pieces_while_the_answer_is_made() -> None:
    caller = caller_on(Connection([b"a", b"", b"b", b"c"]))
    body = caller.body()
    read: list[bytes] = []

    async def answer() -> None:
        read.extend([piece async for piece in body])

    await caller.while_waiting(answer())

    assert read == [b"a", b"b", b"c"]


async def test_one_piece_is_held_until_it_is_asked_for() -> None:
    connection = Connection([b"a"] * 100)
    caller = caller_on(connection)
    body = aiter(caller.body())

    async def answer() -> None:
        for asked in range(3):
            await anext(body)
            # Lets the watch take as much as it ever would.
            for _ in range(10):
                await asyncio.sleep(0)
            assert connection.chunks_read == asked + 2

    await caller.while_waiting(answer())


async def test_what_arrives_after_a_body_was_closed_is_dropped_and_the_caller_still_watched() -> (
    None
):
    connection = Connection([b"a"] * 5)
    caller = caller_on(connection)
    body = caller.body()
    closed = asyncio.Event()

    async def answer() -> None:
        await body.aclose()
        assert [piece async for piece in body] == []
        closed.set()
        await asyncio.Event().wait()

    serving = asyncio.create_task(caller.while_waiting(answer()))
    await closed.wait()
    connection.hang_up.set()
    await serving

    assert connection.chunks_read == 5


async def test_caller_that_leaves_before_its_body_is_sent_cancels_the_reader() -> None:
    messages: list[dict[str, object]] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    caller = Caller(receive, Connection().send, Soon())
    body = caller.body()
    ended_by: list[type[BaseException]] = []

    async def answer() -> None:
        try:
            async for _ in body:
                pass
        except BaseException as error:
            ended_by.append(type(error))
            raise

    await caller.while_waiting(answer())

    assert ended_by == [asyncio.CancelledError]


async def test_who_reads_a_body_after_its_exchange_is_told() -> None:
    caller = caller_on(Connection([b"a"] * 3))
    body = aiter(caller.body())

    async def answer() -> None:
        await anext(body)

    await caller.while_waiting(answer())

    with pytest.raises(CallerGoneError):
        [piece async for piece in body]


async def test_cancellation_by_a_caller_that_left_is_over_when_the_exchange_is() -> None:
    connection = Connection()
    caller = caller_on(connection)
    await connection.receive()

    async def answer() -> None:
        connection.hang_up.set()
        await asyncio.Event().wait()

    await caller.while_waiting(answer())

    task = asyncio.current_task()
    assert task is not None
    # The server goes on in this task: a timeout of its own must not take this for its own.
    assert task.cancelling() == 0


async def test_server_that_cancels_as_the_caller_leaves_is_not_ignored() -> None:
    connection = Connection()
    caller = caller_on(connection)
    await connection.receive()
    serving = asyncio.create_task(caller.while_waiting(asyncio.Event().wait()))  # type: ignore[arg-type]
    connection.hang_up.set()
    async with asyncio.timeout(30):
        while serving.cancelling() == 0:
            await asyncio.sleep(0)
    serving.cancel()  # before the first cancellation has arrived: both come as one

    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_answer_made_at_once_is_made_without_another_task() -> None:
    caller = caller_on(Connection())
    tasks: list[int] = []

    async def answer() -> None:
        await asyncio.sleep(0)
        tasks.append(len(asyncio.all_tasks()))

    await caller.while_waiting(answer())

    assert tasks == [1]


async def test_caller_that_leaves_later_is_noticed_among_those_that_were_answered() -> None:
    soon, left = Soon(), asyncio.Event()
    connection = Connection()
    await connection.receive()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    slow = asyncio.create_task(
        Caller(connection.receive, connection.send, soon).while_waiting(wait())
    )
    async with asyncio.timeout(30):
        while not left.is_set():
            await Caller(Connection().receive, Connection().send, soon).while_waiting(
                asyncio.sleep(0.001)
            )
            connection.hang_up.set()
        await slow


def test_caller_is_watched_on_every_event_loop_that_a_handler_is_used_on() -> None:
    soon = Soon()

    async def is_left_alone() -> None:
        connection = Connection()
        await connection.receive()
        connection.hang_up.set()
        caller = Caller(connection.receive, connection.send, soon)
        async with asyncio.timeout(30):
            await caller.while_waiting(asyncio.Event().wait())  # type: ignore[arg-type]

    async def while_another_loop_keeps_the_time() -> None:
        await Caller(Connection().receive, Connection().send, soon).while_waiting(asyncio.sleep(0))
        await asyncio.to_thread(asyncio.run, is_left_alone())
        await is_left_alone()

    asyncio.run(is_left_alone())  # a loop that is closed while the timer is set
    asyncio.run(while_another_loop_keeps_the_time())
