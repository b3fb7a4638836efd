from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from durable_execution.orpc._client import (
    Retries,
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
)
from durable_execution.orpc._client.aiohttp_sender import AiohttpSender, _translated
from durable_execution.orpc._protocol import Body, Request, close_body, read_body
from tests.orpc.pieces import Pieces

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

JSON = {"content-type": "application/json"}


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """Starts an HTTP server on loopback that answers everything with one handler."""
    runners: list[web.ServerRunner] = []

    async def start(handler: Handler) -> str:
        runner = web.ServerRunner(web.Server(handler))
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def listen() -> AsyncIterator[Callable[[Peer], Awaitable[str]]]:
    """Starts a peer that speaks bytes, for what no HTTP server would do."""
    servers: list[asyncio.Server] = []

    async def start(peer: Peer) -> str:
        async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await peer(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


Serve = Callable[[Handler], Awaitable[str]]
Listen = Callable[[Peer], Awaitable[str]]


async def test_path_and_query_travel_exactly_as_written(serve: Serve) -> None:
    targets: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        targets.append(request.raw_path)
        return web.Response(body=b"{}", headers=JSON)

    async with RPCLink(f"{await serve(handler)}/rpc?a=%7e+b", method="GET") as link:
        await link.call(["a/b", "(é)"])
    assert targets == ["/rpc/a%2Fb/(%C3%A9)?a=%7e+b&data=%7B%7D"]


async def test_redirect_is_not_followed(serve: Serve) -> None:
    paths: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        paths.append(request.path)
        headers = {**JSON, "location": "/elsewhere"}
        return web.Response(status=302, body=b'{"json":"from 302"}', headers=headers)

    async with RPCLink(await serve(handler)) as link:
        assert await link.call(["x"]) == "from 302"
    assert paths == ["/x"]


async def test_cookies_are_not_kept(serve: Serve) -> None:
    cookies: list[str | None] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        cookies.append(request.headers.get("cookie"))
        return web.Response(body=b"{}", headers={**JSON, "set-cookie": "a=1; Path=/"})

    # Cookies of a bare IP address are never kept, so the name matters.
    url = (await serve(handler)).replace("127.0.0.1", "localhost")
    async with RPCLink(url) as link:
        await link.call(["x"])
        await link.call(["x"])
    assert cookies == [None, None]


async def test_connection_is_used_again(serve: Serve) -> None:
    ports: list[int] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response(body=b"{}", headers=JSON)

    async with RPCLink(await serve(handler)) as link:
        await link.call(["x"])
        await link.call(["x"])
    assert len(ports) == 2
    assert len(set(ports)) == 1


async def test_gzipped_answer_is_read(serve: Serve) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        headers = {**JSON, "content-encoding": "gzip"}
        return web.Response(body=gzip.compress(b'{"json":"packed"}'), headers=headers)

    async with RPCLink(await serve(handler)) as link:
        assert await link.call(["x"]) == "packed"


async def test_small_answer_that_unpacks_into_a_huge_one_is_cut_off(serve: Serve) -> None:
    packed = gzip.compress(b" " * 5_000_000)
    assert len(packed) < 10_000

    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(body=packed, headers={**JSON, "content-encoding": "gzip"})

    async with RPCLink(await serve(handler), max_response_size=1_000_000) as link:
        with pytest.raises(RPCResponseError, match="larger than 1000000 bytes"):
            await link.call(["x"])


async def test_announced_length_over_the_limit_is_not_even_read(listen: Listen) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        # The body never comes: only a client that trusts the length can answer.
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n")
        await reader.read()

    async with RPCLink(await listen(peer), max_response_size=1000) as link:
        with pytest.raises(RPCResponseError, match="larger than 1000 bytes"):
            await link.call(["x"])


async def test_answer_without_length_is_cut_off_while_it_streams(listen: Listen) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000)
        await reader.read()

    async with RPCLink(await listen(peer), max_response_size=1000) as link:
        with pytest.raises(RPCResponseError, match="larger than 1000 bytes"):
            await link.call(["x"])


async def test_refused_connection_says_that_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        async with RPCLink(f"http://{address}") as link:
            with pytest.raises(RPCConnectionError) as caught:
                await link.call(["x"])
    assert str(caught.value) == f"Cannot connect to {address}: Connection refused"
    assert not caught.value.was_sent
    assert caught.value.__cause__ is not None


async def test_connection_that_is_not_made_in_time_says_that_nothing_was_sent(
    listen: Listen,
) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # and never answers the handshake of TLS

    url = (await listen(peer)).replace("http:", "https:")
    sender = AiohttpSender(connect_timeout=0.05)
    async with RPCLink(url, sender=sender, retries=Retries(attempts=1)) as link:
        with pytest.raises(RPCConnectionError, match="Cannot connect") as caught:
            await link.call(["x"])
    assert not caught.value.was_sent


@pytest.mark.parametrize("is_whole", [True, False])
def test_idle_connection_that_is_closed_before_the_write_has_sent_nothing_whole(
    is_whole: bool,
) -> None:
    failure = aiohttp.ClientOSError(None, "Can not write request body")
    failure.__cause__ = aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    with pytest.raises(RPCConnectionError) as caught, _translated(is_whole=is_whole):
        raise failure
    assert caught.value.was_sent is not is_whole


async def test_bounded_connections_are_waited_for(serve: Serve) -> None:
    under_way = most = 0

    async def handler(request: web.BaseRequest) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)  # lets the others arrive, if they can
        under_way -= 1
        return web.Response(body=b"{}", headers=JSON)

    async with RPCLink(await serve(handler), sender=AiohttpSender(max_connections=2)) as link:
        await asyncio.gather(*(link.call(["x"]) for _ in range(20)))
    assert most <= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_connections": 0}, "max_connections: expected a positive int"),
        ({"connect_timeout": 0}, "timeout: expected more than zero"),
    ],
)
def test_unusable_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AiohttpSender(**options)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"], ids=["nothing", "a part"]
)
async def test_connection_that_breaks_says_that_the_call_may_have_run(
    listen: Listen, answer: bytes
) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with RPCLink(await listen(peer)) as link:
        with pytest.raises(RPCConnectionError, match=r"The connection broke: .") as caught:
            await link.call(["x"])
    assert caught.value.was_sent


async def test_answer_in_another_protocol_is_named(listen: Listen) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")

    async with RPCLink(await listen(peer)) as link:
        with pytest.raises(RPCResponseError, match="did not answer in HTTP"):
            await link.call(["x"])


async def test_cancelled_call_gives_up_its_connection(listen: Listen) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()
        left.set()

    async with RPCLink(await listen(peer)) as link:
        call = asyncio.create_task(link.call(["x"]))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(left.wait(), 5)


async def test_one_link_serves_several_loops_and_closes_all_their_pools(serve: Serve) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(body=b'{"json":1}', headers=JSON)

    link = RPCLink(await serve(handler))
    elsewhere = asyncio.new_event_loop()
    thread = threading.Thread(target=elsewhere.run_forever)
    thread.start()
    try:
        there = asyncio.run_coroutine_threadsafe(link.call(["x"]), elsewhere)
        assert await asyncio.wrap_future(there) == 1
        assert await link.call(["x"]) == 1
        await link.aclose()
    finally:
        elsewhere.call_soon_threadsafe(elsewhere.stop)
        thread.join()
        elsewhere.close()
    # A pool left open would warn when collected, and warnings are errors here.


def test_pool_of_a_loop_that_has_ended_is_forgotten() -> None:
    sender = AiohttpSender()

    async def open_pool() -> None:
        await sender._session().close()

    asyncio.run(open_pool())
    asyncio.run(open_pool())
    assert len(sender._sessions) == 1


async def test_closed_sender_refuses_requests() -> None:
    sender = AiohttpSender()
    await sender.aclose()
    await sender.aclose()
    with pytest.raises(RuntimeError, match="AiohttpSender is closed"):
        await sender.send(Request("POST", "/x", origin="http://localhost"), max_response_size=1)


def post_to(url: str, body: Body = b"") -> Request:
    return Request("POST", "/x", body=body, origin=url)


async def test_a_body_without_a_type_is_given_none(serve: Serve) -> None:
    async def tell(request: web.BaseRequest) -> web.Response:
        return web.Response(text=repr(request.headers.get("content-type")))

    url = await serve(tell)
    sender = AiohttpSender()
    for body in (b"", b"x"):
        response = await sender.send(
            Request("POST", "/", body=body, origin=url), max_response_size=99
        )
        assert await read_body(response.body, limit=99) == b"None"
    await sender.aclose()


async def test_streamed_answer_arrives_while_the_server_still_makes_it(serve: Serve) -> None:
    read = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"a")
        await read.wait()
        await response.write(b"b")
        return response

    sender = AiohttpSender()
    response = await sender.send(post_to(await serve(handler)), max_response_size=1)
    assert not isinstance(response.body, bytes)
    pieces = aiter(response.body)
    assert await anext(pieces) == b"a"
    read.set()
    assert [piece async for piece in pieces] == [b"b"]
    await response.body.aclose()
    await sender.aclose()


async def test_closing_a_streamed_answer_gives_up_its_connection(listen: Listen) -> None:
    left = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        await reader.read()
        left.set()

    sender = AiohttpSender()
    response = await sender.send(post_to(await listen(peer)), max_response_size=1)
    await close_body(response.body)
    await asyncio.wait_for(left.wait(), 5)
    await sender.aclose()


async def test_streamed_answer_that_breaks_says_so(listen: Listen) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n"
        )

    sender = AiohttpSender()
    response = await sender.send(post_to(await listen(peer)), max_response_size=1)
    with pytest.raises(RPCConnectionError, match=r"The connection broke: ."):
        await read_body(response.body, limit=10)
    await sender.aclose()


async def test_streamed_request_is_sent_as_it_is_made_and_closed(serve: Serve) -> None:
    got: list[bytes] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.headers["transfer-encoding"] == "chunked"
        got.append(await request.read())
        return web.Response(body=b"{}", headers=JSON)

    body = Pieces([b"a", b"b"])
    sender = AiohttpSender()
    await sender.send(post_to(await serve(handler), body), max_response_size=10)
    await sender.aclose()
    assert got == [b"ab"]
    assert body.times_closed == 1
