from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from durable_execution._codec import UNDEFINED, loads
from durable_execution.orpc import Event, EventStream, ORPCError, Return
from durable_execution.orpc._protocol import DecodedEvents, FrameError, MappedEvents, event_source
from tests.orpc.pieces import Pieces


class Reader:
    def value(self, data: bytes) -> object:
        return loads(data)

    def error(self, data: bytes) -> Exception:
        return ORPCError("CONFLICT", data=loads(data))

    def broken(self, error: FrameError) -> Exception:
        return ConnectionError(str(error))


def stream_of(*pieces: bytes, failure: Exception | None = None) -> tuple[EventStream[Any], Pieces]:
    body = Pieces(pieces, failure)
    return EventStream(DecodedEvents(body, Reader(), max_size=100)), body


def given(values: AsyncIterator[Any]) -> EventStream[Any]:
    return EventStream(event_source(values))


async def test_values_and_the_return_value_are_read() -> None:
    stream, body = stream_of(b'data: {"json":1}\n\n', b'event: done\ndata: {"json":"end"}\n\n')
    assert stream.return_value is UNDEFINED
    assert [value async for value in stream] == [1]
    assert (stream.return_value, stream.is_ended, body.times_closed) == ("end", True, 1)
    assert [value async for value in stream] == []


async def test_metadata_is_on_the_stream_and_on_its_events() -> None:
    pieces = (b': c\nevent: message\nretry: 1500\nid: 7\ndata: {"json":1}\n\n', b"data: {}\n\n")
    stream, _ = stream_of(*pieces)
    assert await anext(stream) == 1
    assert (stream.last_event_id, stream.retry) == ("7", 1.5)
    assert await anext(stream) is UNDEFINED
    assert stream.last_event_id == "7"

    stream, _ = stream_of(*pieces)
    first, second = [event async for event in stream.events()]
    assert (first.value, first.id, first.retry, first.comments) == (1, "7", 1.5, ("c",))
    assert (second.value, second.id, second.retry, second.comments) == (UNDEFINED, None, None, ())


async def test_error_event_is_raised_once_and_its_id_kept() -> None:
    stream, body = stream_of(b'event: error\nid: 3\ndata: {"json":1}\n\n')
    with pytest.raises(ORPCError):
        await anext(stream)
    assert (stream.last_event_id, body.times_closed) == ("3", 1)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_body_that_breaks_is_an_error_after_what_arrived() -> None:
    stream, body = stream_of(b'data: {"json":1}\n\ndata: {"js', failure=OSError("gone"))
    assert await anext(stream) == 1
    with pytest.raises(OSError, match="gone"):
        await anext(stream)
    assert body.times_closed == 1


async def test_body_cut_off_amid_a_frame_is_told_from_one_that_ends() -> None:
    stream, _ = stream_of(b'data: {"json":1}\n\ndata: {"js')
    assert await anext(stream) == 1
    with pytest.raises(ConnectionError, match="ended before complete"):
        await anext(stream)


async def test_leaving_the_block_closes_the_body() -> None:
    stream, body = stream_of(b'data: {"json":1}\n\n' * 3)
    async with stream as values:
        assert await anext(values) == 1
    assert body.times_closed == 1
    assert [value async for value in stream] == []


async def test_wait_for_an_event_that_is_given_up_loses_nothing() -> None:
    arrives = asyncio.Event()

    class Slow(Pieces):
        async def __anext__(self) -> bytes:
            await arrives.wait()
            return await super().__anext__()

    stream = EventStream[Any](
        DecodedEvents(Slow([b'data: {"json":1}\n\n']), Reader(), max_size=100)
    )
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.01)
    arrives.set()
    assert [value async for value in stream] == [1]


async def test_second_reader_is_refused() -> None:
    async def values() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    stream = given(values())
    first = asyncio.create_task(anext(stream))  # type: ignore[arg-type]  # an awaitable will do
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="read by another task"):
        await anext(stream)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_rest_of_a_body_is_read_after_its_last_event_so_that_its_connection_lives() -> None:
    stream, body = stream_of(b"event: done\n\n", b"\n\n", b": more\n\n")
    assert [value async for value in stream] == []
    assert body.left == 0


async def test_endless_rest_of_a_body_is_not_read() -> None:
    stream, body = stream_of(b"event: done\n\n", *[b"x" * 50_000] * 10)
    assert [value async for value in stream] == []
    assert body.left == 8


async def test_generator_returns_what_it_yields_as_a_return() -> None:
    ends: list[str] = []

    async def values() -> AsyncIterator[Any]:
        try:
            yield 1
            yield Return("total")
            ends.append("went on")
        finally:
            ends.append("closed")

    stream = given(values())
    assert [value async for value in stream] == [1]
    assert (stream.return_value, ends) == ("total", ["closed"])


async def test_iterator_of_a_class_returns_what_it_stops_with() -> None:
    class Once:
        def __aiter__(self) -> AsyncIterator[int]:
            return self

        async def __anext__(self) -> int:
            raise StopAsyncIteration("total")

    stream = given(Once())
    assert [value async for value in stream] == []
    assert stream.return_value == "total"


async def test_mapped_stream_keeps_the_metadata() -> None:
    async def values() -> AsyncIterator[Any]:
        yield Event(1, id="7", retry=2, comments=["c"])
        yield Return(3, id="8")

    source = MappedEvents(
        event_source(values()), value=lambda value: value * 10, returned=lambda value: value + 1
    )
    stream = EventStream[Any](source)
    [event] = [event async for event in stream.events()]
    assert (event.value, event.id, event.retry, event.comments) == (10, "7", 2, ("c",))
    assert (stream.return_value, stream.last_event_id) == (4, "8")


async def test_mapped_error_says_what_it_came_from() -> None:
    async def values() -> AsyncIterator[int]:
        yield 1
        raise LookupError("inside")

    stream = EventStream[int](
        MappedEvents(event_source(values()), error=lambda error: ValueError(str(error)))
    )
    assert await anext(stream) == 1
    with pytest.raises(ValueError, match="inside") as caught:
        await anext(stream)
    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.parametrize(
    ("options", "kind", "complaint"),
    [
        ({"id": "a\nb"}, ValueError, "Event's id"),
        ({"id": 7}, TypeError, "id: expected str"),
        ({"retry": -1}, ValueError, "retry: expected seconds >= 0"),
        ({"retry": float("nan")}, ValueError, "retry: expected seconds >= 0"),
        ({"retry": "1"}, TypeError, "retry: expected seconds"),
        ({"comments": ["a\rb"]}, ValueError, "Event's comment"),
    ],
)
def test_unusable_metadata_is_refused_where_it_is_written(
    options: dict[str, Any], kind: type[Exception], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        Event(1, **options)
    with pytest.raises(kind, match=complaint):
        Return(1, **options)


def test_retry_may_be_a_timedelta_and_is_whole_milliseconds_on_the_wire() -> None:
    event = Event(1, retry=timedelta(seconds=1.0004))
    assert (event.retry, event.retry_ms) == (1.0004, 1000)
