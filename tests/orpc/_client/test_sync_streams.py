"""Event streams with no event loop: read as iterators, written from generators."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from durable_execution.orpc import (
    AsgiSender,
    CallContext,
    EventStream,
    ORPCError,
    Return,
    RPCHandler,
    RPCLink,
    SyncEventStream,
    SyncLink,
    SyncORPCClient,
    create_orpc_client,
    rpc,
)


@rpc.handler
async def count(ctx: CallContext, input: int) -> AsyncIterator[int | Return[str]]:
    for number in range(input):
        yield number
    yield Return("all of them")


@rpc.handler
async def total(ctx: CallContext, input: EventStream[int]) -> tuple[int, Any]:
    numbers = [number async for number in input]
    return sum(numbers), input.return_value


HANDLER = RPCHandler({"count": count, "total": total}, prefix="/rpc")


def link_to(app: Any = HANDLER, **options: Any) -> SyncLink:
    return SyncLink(RPCLink("http://test/rpc", sender=AsgiSender(app), **options))


@pytest.fixture
def client() -> Iterator[SyncORPCClient]:
    with link_to() as link:
        yield create_orpc_client(link)


def test_event_stream_is_an_iterator(client: SyncORPCClient) -> None:
    with client.count(3, output=EventStream[int]) as numbers:
        assert isinstance(numbers, SyncEventStream)
        assert next(numbers) == 0
        assert list(numbers) == [1, 2]
    assert (numbers.return_value, numbers.is_ended) == ("all of them", True)
    assert (numbers.last_event_id, numbers.retry) == (None, None)
    assert [event.value for event in client.count(2).events()] == [0, 1]


def test_reader_that_leaves_ends_the_stream_at_the_other_side() -> None:
    left = threading.Event()

    @rpc.handler
    async def endless(ctx: CallContext) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            left.set()

    with link_to(RPCHandler({"endless": endless}, prefix="/rpc")) as link:
        with create_orpc_client(link).endless() as numbers:
            assert next(numbers) == 1
        assert left.wait(10)
        with pytest.raises(StopIteration):
            next(numbers)


def test_generator_goes_out_as_an_event_stream(client: SyncORPCClient) -> None:
    closed: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            yield from (1, 2, 3)
            return "the end"
        finally:
            closed.append(True)

    assert client.total(numbers()) == [6, "the end"]
    assert closed == [True]


def test_generator_that_fails_ends_the_call(client: SyncORPCClient) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises((ORPCError, ValueError)):
        client.total(numbers())
