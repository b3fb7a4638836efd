from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_execution.orpc import (
    Event,
    EventStream,
    ORPCError,
    Return,
    RPCConnectionError,
    resuming,
)
from durable_execution.orpc._protocol import event_source

GONE = RPCConnectionError("gone", was_sent=True)


class Server:
    """Gives one stream after another, each a list of what it sends and raises."""

    def __init__(self, *streams: list[Any] | Exception) -> None:
        self._streams = list(streams)
        self.asked: list[str | None] = []
        self.closed = 0

    async def open(self, after: str | None) -> EventStream[Any]:
        self.asked.append(after)
        stream = self._streams.pop(0)
        if isinstance(stream, Exception):
            raise stream
        return EventStream(event_source(self._send(stream)))

    async def _send(self, items: list[Any]) -> AsyncIterator[Any]:
        try:
            for item in items:
                if isinstance(item, BaseException):
                    raise item
                if item is ...:
                    await asyncio.Event().wait()
                yield item
        finally:
            self.closed += 1


async def test_stream_goes_on_after_the_last_event_that_arrived() -> None:
    server = Server(
        [Event(1, id="a", retry=0), 2, GONE], GONE, [Event(3, id="b"), GONE], [4, Return("end")]
    )
    stream = resuming(server.open)
    assert [value async for value in stream] == [1, 2, 3, 4]
    assert server.asked == [None, "a", "a", "b"]
    assert (stream.return_value, stream.last_event_id, server.closed) == ("end", "b", 3)


async def test_what_the_server_says_is_not_tried_again() -> None:
    server = Server([ORPCError("CONFLICT")])
    with pytest.raises(ORPCError):
        await anext(resuming(server.open))
    server = Server(ORPCError("NOT_FOUND"))
    with pytest.raises(ORPCError):
        await anext(resuming(server.open))
    assert server.asked == [None]


async def test_too_many_failures_in_a_row_are_raised_and_an_event_begins_the_count_anew() -> None:
    server = Server([1, GONE], GONE, [2, GONE], GONE, GONE)
    stream = resuming(server.open, delay=0.001, max_failures=2)
    assert [await anext(stream), await anext(stream)] == [1, 2]
    with pytest.raises(RPCConnectionError, match="gone"):
        await anext(stream)
    assert len(server.asked) == 5


async def test_pause_is_that_of_the_caller_until_the_stream_asks_for_another() -> None:
    pauses: list[float] = []
    loop = asyncio.get_running_loop()
    server = Server([Event(1, retry=0.02), GONE], [2])
    stream = resuming(server.open, delay=60)
    assert await anext(stream) == 1
    begun = loop.time()
    assert await anext(stream) == 2
    pauses.append(loop.time() - begun)
    # Not before the server allows; that it is not the minute of the caller, the test would notice.
    assert pauses[0] >= 0.019


async def test_leaving_closes_the_stream_that_is_open() -> None:
    server = Server([1, ...])
    async with resuming(server.open) as stream:
        assert await anext(stream) == 1
    assert server.closed == 1


async def test_leaving_amid_a_pause_opens_nothing_more() -> None:
    server = Server(GONE, [1])
    stream = resuming(server.open, delay=60)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.01)
    await stream.aclose()
    assert server.asked == [None]


@pytest.mark.parametrize("options", [{"delay": None}, {"delay": 0}, {"max_failures": -1}])
def test_unusable_option_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=r"delay|max_failures"):
        resuming(Server().open, **options)
