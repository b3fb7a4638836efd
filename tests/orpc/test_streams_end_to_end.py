"""Event streams between client and server, in one process and over real sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from durable_execution.orpc import (
    AsgiSender,
    CallContext,
    DefinedError,
    Event,
    EventStream,
    EventStreamOptions,
    ORPCClient,
    ORPCError,
    Procedure,
    Return,
    Router,
    RPCConnectionError,
    RPCHandler,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
    create_orpc_client,
    rpc,
)
from tests.orpc.served import Served, served

Connect = Callable[..., ORPCClient]


@pytest.fixture(params=["in process", "sockets"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Gives a client of a router, by way of each transport."""
    links: list[RPCLink] = []
    servers: list[Served] = []

    def connected(router: Router | Procedure, **options: Any) -> ORPCClient:
        app = RPCHandler(router, events=options.pop("events", EventStreamOptions()))
        if request.param == "in process":
            link = RPCLink("http://localhost", sender=AsgiSender(app), **options)
        else:
            servers.append(served(app))
            link = RPCLink(servers[-1].url, **options)
        links.append(link)
        return create_orpc_client(link)

    yield connected
    for link in links:
        await link.aclose()
    for server in servers:
        await server.stop()


async def count(ctx: CallContext, to: int) -> AsyncIterator[int | Event[int] | Return[str]]:
    start = int(ctx.last_event_id or 0)
    for n in range(start, to):
        yield Event(n, id=str(n + 1))
    yield Return("counted")


async def test_values_return_value_and_ids_arrive(connect: Connect) -> None:
    client = connect({"count": rpc.handler(count)})
    async with await client.count(3, output=EventStream[int | Return[str]]) as numbers:
        assert [number async for number in numbers] == [0, 1, 2]
    assert (numbers.return_value, numbers.last_event_id) == ("counted", "3")


async def test_stream_is_resumed_after_the_last_id(connect: Connect) -> None:
    client = connect({"count": rpc.handler(count)})
    async with await client.count(5) as numbers:
        assert [await anext(numbers) for _ in range(2)] == [0, 1]
    rest = await client.count(5, last_event_id=numbers.last_event_id)
    assert [number async for number in rest] == [2, 3, 4]


async def test_events_arrive_one_by_one_and_leaving_ends_the_generator(connect: Connect) -> None:
    made, ended = asyncio.Event(), asyncio.Event()

    async def handler() -> AsyncIterator[int]:
        try:
            yield 1
            await made.wait()
            yield 2
            await asyncio.Event().wait()
        finally:
            ended.set()

    client = connect(rpc.handler(handler))
    async with await client() as numbers:
        assert await anext(numbers) == 1
        made.set()
        assert await anext(numbers) == 2
    await asyncio.wait_for(ended.wait(), 5)


async def test_declared_error_amid_a_stream_is_raised_as_its_class(connect: Connect) -> None:
    class SoldOut(DefinedError[int], status=409):
        pass

    async def handler() -> AsyncIterator[int]:
        yield 1
        raise SoldOut(7)

    client = connect(rpc.errors(SoldOut).handler(handler))
    numbers = await client(errors=[SoldOut])
    assert await anext(numbers) == 1
    with pytest.raises(SoldOut) as caught:
        await anext(numbers)
    assert caught.value.data == 7


async def test_value_that_is_not_what_the_caller_asked_for_is_raised_in_its_place(
    connect: Connect,
) -> None:
    async def handler() -> AsyncIterator[Any]:
        yield 1
        yield "two"

    client = connect({"numbers": rpc.handler(handler)})
    numbers = await client.numbers(output=EventStream[int])
    assert await anext(numbers) == 1
    with pytest.raises(RPCResponseError, match="numbers: not the output asked for: output"):
        await anext(numbers)


@pytest.mark.parametrize(("output", "given"), [(int, "stream"), (EventStream[int], "value")])
async def test_stream_for_a_value_and_the_reverse_are_refused(
    connect: Connect, output: Any, given: str
) -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1

    client = connect({"stream": rpc.handler(stream), "value": rpc.handler(lambda: 1)})
    with pytest.raises(RPCResponseError, match="not the output asked for"):
        await client[given](output=output)


async def test_input_is_sent_while_it_is_made_and_answered_meanwhile(connect: Connect) -> None:
    answered = asyncio.Event()

    async def double(ctx: CallContext, numbers: AsyncIterator[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield number * 2

    async def numbers() -> AsyncIterator[int]:
        yield 1
        await answered.wait()
        yield 2
        await asyncio.sleep(0)
        yield 3

    client = connect(rpc.handler(double))
    async with await client(numbers()) as doubled:
        assert await anext(doubled) == 2
        answered.set()
        assert [number async for number in doubled] == [4, 6]


async def test_return_value_of_an_input_reaches_the_handler(connect: Connect) -> None:
    async def handler(ctx: CallContext, values: EventStream[int]) -> list[Any]:
        return [[value async for value in values], values.return_value]

    async def values() -> AsyncIterator[Any]:
        yield 1
        yield Return("end")

    assert await connect(rpc.handler(handler))(values()) == [[1], "end"]


async def test_input_that_fails_is_an_error_for_the_handler_and_logged_here(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(ctx: CallContext, values: AsyncIterator[int]) -> str:
        try:
            return str([value async for value in values])
        except ORPCError as error:
            return error.message

    async def values() -> AsyncIterator[int]:
        yield 1
        raise ValueError("secret")

    client = connect(rpc.handler(handler))
    with caplog.at_level(logging.ERROR):
        assert await client(values()) == "Internal server error"
    assert [type(r.exc_info[1]) for r in caplog.records if r.exc_info] == [ValueError]


async def test_server_that_breaks_amid_a_stream_is_a_broken_connection() -> None:
    async def handler() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    server = served(RPCHandler(rpc.handler(handler)))
    async with RPCLink(server.url) as link:
        numbers = await create_orpc_client(link)()
        assert await anext(numbers) == 1
        server.cut()
        with pytest.raises(RPCConnectionError) as caught:
            await anext(numbers)
        assert "while calling / at http://127.0.0.1" in caught.value.__notes__[0]
    await server.stop()


async def test_silence_beyond_the_idle_timeout_ends_the_stream(connect: Connect) -> None:
    ended = asyncio.Event()

    async def handler() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.set()

    client = connect(
        rpc.handler(handler), events=EventStreamOptions(keep_alive=None), idle_timeout=0.1
    )
    numbers = await client()
    assert await anext(numbers) == 1
    with pytest.raises(RPCTimeoutError, match=r"Nothing arrived within 0\.1 seconds"):
        await anext(numbers)
    await asyncio.wait_for(ended.wait(), 5)


async def test_comments_keep_an_idle_stream_alive_and_the_call_timeout_ends_with_the_headers(
    connect: Connect,
) -> None:
    async def handler() -> AsyncIterator[int]:
        await asyncio.sleep(0.5)  # longer than both timeouts
        yield 1

    client = connect(
        rpc.handler(handler),
        events=EventStreamOptions(keep_alive=0.05),
        idle_timeout=0.4,
        timeout=0.4,
    )
    assert [number async for number in await client()] == [1]


async def test_connection_of_a_stream_that_was_read_to_its_end_is_used_again() -> None:
    async def handler(ctx: CallContext) -> AsyncIterator[int]:
        yield ctx.context["port"]

    app = RPCHandler(rpc.handler(handler), context=lambda r: {"port": r.transport["client"][1]})
    server = served(app)
    async with RPCLink(server.url) as link:
        client = create_orpc_client(link)
        ports = {number for _ in range(5) async for number in await client()}
    assert len(ports) == 1
    await server.stop()


async def test_readers_that_vanish_leave_no_task_and_no_socket_behind() -> None:
    running = 0

    async def handler() -> AsyncIterator[int]:
        nonlocal running
        running += 1
        try:
            while True:
                yield running
                await asyncio.Event().wait()
        finally:
            running -= 1

    server = served(RPCHandler(rpc.handler(handler)))
    # The pool of a link is bounded, so each caller has a connection of its own.
    before = asyncio.all_tasks()
    writers = []
    for _ in range(200):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        await reader.readuntil(b"event: message\ndata: ")
        writers.append(writer)
    assert running == 200
    assert server.connections == 200
    for index, writer in enumerate(writers):
        if index % 2:
            writer.transport.abort()
        else:
            writer.close()
    await asyncio.wait_for(server.until(lambda: running == 0 and server.connections == 0), 20)
    await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)
    assert asyncio.all_tasks() <= before
    await server.stop()


async def test_slow_reader_stops_the_generator_instead_of_filling_the_memory() -> None:
    made = 0

    async def handler() -> AsyncIterator[str]:
        nonlocal made
        while True:
            made += 1
            yield "x" * 100_000

    server = served(RPCHandler(rpc.handler(handler)))
    async with RPCLink(server.url) as link:
        stream = await create_orpc_client(link)()
        await anext(stream)
        last = -1
        while made != last:
            last = made
            # Long enough for a generator that nobody stops to make many more.
            await asyncio.sleep(0.2)
        assert made < 300  # what the sockets of both sides hold, at most 30 MB
        for _ in range(20):
            await anext(stream)
        await stream.aclose()
    await server.stop()


async def test_stream_nobody_closed_gives_its_connection_back_when_collected() -> None:
    async def handler() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    server = served(RPCHandler(rpc.handler(handler)))
    async with RPCLink(server.url) as link:
        stream = await create_orpc_client(link)()
        assert await anext(stream) == 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del stream
            gc.collect()
        assert "unclosed stream of http://127.0.0.1" in str(caught[0].message)
        await asyncio.wait_for(server.until(lambda: server.connections == 0), 5)
    await server.stop()


async def test_masked_error_has_the_id_that_the_log_has(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async def at_once() -> None:
        raise ValueError("secret")

    async def amid() -> AsyncIterator[int]:
        yield 1
        raise ValueError("secret")

    for procedure in (rpc.handler(at_once), rpc.handler(amid)):
        caplog.clear()
        with pytest.raises(ORPCError) as caught:
            async for _ in await connect(procedure)():
                pass
        (record,) = caplog.records
        assert caught.value.error_id == vars(record)["error_id"]
        assert "secret" not in str(caught.value)
        assert caught.value.__notes__ == [
            f"The log of the server calls it {caught.value.error_id}",
        ]
