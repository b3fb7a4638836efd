"""Procedures that are given event streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_execution.orpc import CallContext, Procedure, RPCHandler, call, rpc
from tests.orpc._server.driver import Answer, ask, scope_of
from tests.orpc._server.streaming import EVENTS, QUIET


async def stream_with(procedure: Procedure, events: bytes, **options: Any) -> Answer:
    return await ask(RPCHandler(procedure, events=QUIET, **options), "/", events, headers=EVENTS)


async def added_up(ctx: CallContext, numbers: AsyncIterator[int]) -> int:
    return sum([number async for number in numbers])


async def test_input_that_is_a_stream_is_read_as_it_is_sent() -> None:
    answer = await stream_with(rpc.handler(added_up), b'data: {"json":1}\n\ndata: {"json":2}\n\n')

    assert answer.json() == {"json": 3}


async def test_direct_call_takes_any_async_iterator_as_input() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2

    assert await call(rpc.handler(added_up), numbers()) == 3


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
    answer = await stream_with(rpc.handler(added_up), events, max_body_size=1000)

    error = answer.error()
    assert error["code"] == code
    assert error["message"].startswith(message)


async def test_stream_as_input_where_a_value_is_expected_is_a_400() -> None:
    answer = await stream_with(rpc.input(int).handler(lambda ctx, value: value), b"")

    assert answer.error()["message"] == "Input validation failed"


async def test_value_as_input_where_a_stream_is_expected_is_a_400() -> None:
    answer = await ask(RPCHandler(rpc.handler(added_up)), "/", b'{"json":[1,2]}')

    assert answer.error()["data"]["issues"] == [
        {"message": "expected an event stream, got list", "path": []}
    ]


async def test_long_stream_of_short_events_is_no_large_body() -> None:
    events = b'data: {"json":1}\n\n' * 1000

    answer = await stream_with(rpc.handler(added_up), events, max_body_size=100)

    assert answer.json() == {"json": 1000}
