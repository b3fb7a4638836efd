"""Procedures that give event streams, and procedures that are given some."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest

from durable_execution.orpc import (
    CallContext,
    Event,
    EventStream,
    EventStreamOptions,
    Next,
    ORPCError,
    Return,
    call,
    rpc,
)
from tests.orpc._server.streaming import stream

MASKED = (
    b'event: error\ndata: {"json":{"defined":false,"code":"INTERNAL_SERVER_ERROR","status":500,'
    b'"message":"Internal server error"}}\n\n'
)


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


@pytest.mark.parametrize("options", [{"keep_alive": 0}, {"initial_comment": "a\nb"}])
def test_unusable_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"keep_alive|comment"):
        EventStreamOptions(**options)
