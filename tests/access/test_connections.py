"""Thousands of real connections: what one client takes is not missing to another."""

from __future__ import annotations

import asyncio
import json
import resource
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from durable_execution.access import FULL_ACCESS, BearerToken, BearerTokens, Bounds, Guard
from durable_execution.orpc import CallContext, RPCHandler, rpc
from tests.served import served

GREEDY, MODEST = "token-of-a-greedy-client", "token-of-a-modest-client"
AUTH = BearerTokens(
    {
        "greedy": BearerToken(GREEDY, access=FULL_ACCESS),
        "modest": BearerToken(MODEST, access=FULL_ACCESS),
    }
)
BOUNDS = Bounds(calls=300, streams=500, body_bytes=2_000_000, answer_timeout=3, retry_after=2)
MANY = 1500
"""Connections of one client; each is a file at both ends, and both are in this process."""

WAIT = 60.0


async def stream(ctx: CallContext) -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def echo(ctx: CallContext, value: object) -> object:
    return value


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, max(soft, 2 * MANY + 1000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Server:
    """A locked server, and raw connections to it."""

    def __init__(self, guard: Guard, url: str) -> None:
        self.guard = guard
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._open: list[asyncio.StreamWriter] = []

    async def ask(
        self, path: str, token: str, body: bytes = b"{}", announced: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self._address)
        self._open.append(writer)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {announced or len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        return reader, writer

    async def head(self, path: str, token: str, **given: int | bytes) -> tuple[int, bytes]:
        """The status of an answer and the rest of its head; the connection stays open."""
        reader, _ = await self.ask(path, token, **given)  # type: ignore[arg-type]
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)
        return int(head.split(b" ")[1]), head

    def leave(self) -> None:
        for writer in self._open:
            writer.close()
        self._open.clear()

    async def until_nobody_holds_anything(self) -> None:
        async with asyncio.timeout(WAIT):
            while self.guard._holdings.clients:
                await asyncio.sleep(0.02)  # the server notices in a thread of its own


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    guard = Guard(
        RPCHandler({"stream": rpc.handler(stream), "echo": rpc.handler(echo)}),
        auth=AUTH,
        bounds=BOUNDS,
    )
    with served(guard) as url:
        server = Server(guard, url)
        try:
            yield server
        finally:
            server.leave()


async def test_streams_of_one_client_leave_room_for_another() -> None:
    async with running() as server:
        heads = await asyncio.gather(*(server.head("/stream", GREEDY) for _ in range(MANY)))
        assert Counter(status for status, _ in heads) == {200: 500, 429: MANY - 500}
        assert all(b"retry-after: 2\r\n" in head for status, head in heads if status == 429)
        assert (await server.head("/stream", MODEST))[0] == 200
        assert (await server.head("/echo", MODEST))[0] == 200
        assert (await server.head("/echo", GREEDY))[0] == 200
        server.leave()
        await server.until_nobody_holds_anything()
        assert (await server.head("/stream", GREEDY))[0] == 200


async def test_strangers_hold_nothing_however_many_they_are() -> None:
    async with running() as server:
        heads = await asyncio.gather(
            *(server.head("/stream", f"a-token-of-stranger-{n}") for n in range(MANY))
        )
        assert {status for status, _ in heads} == {401}
        assert server.guard._holdings.clients == 0  # though all of them are still connected
        assert (await server.head("/echo", MODEST))[0] == 200


async def test_requests_that_never_end_are_ended_and_leave_room_for_others() -> None:
    async with running() as server:
        slow = asyncio.gather(
            *(server.head("/echo", GREEDY, body=b"{", announced=1000) for _ in range(MANY))
        )
        while not server.guard._holdings.clients:
            await asyncio.sleep(0.01)  # the server runs in a thread of its own
        assert (await server.head("/echo", MODEST))[0] == 200
        statuses = Counter(status for status, _ in await slow)
        # Beyond the bound at once, within it when their time is over.
        assert statuses.keys() == {429, 503}
        assert statuses[503] >= 300
        await server.until_nobody_holds_anything()
        assert (await server.head("/echo", GREEDY))[0] == 200


async def test_bytes_of_one_client_are_bounded_and_leave_room_for_another() -> None:
    body = json.dumps({"json": "x" * 100_000}).encode()
    async with running() as server:
        slow = asyncio.gather(
            *(server.head("/echo", GREEDY, body=body, announced=len(body) + 1) for _ in range(100))
        )
        while server.guard._holdings._total.body_bytes < 1_000_000:
            await asyncio.sleep(0.01)  # the server runs in a thread of its own
        assert (await server.head("/echo", MODEST, body=body))[0] == 200
        statuses = Counter(status for status, _ in await slow)
        assert statuses.keys() == {429, 503}
        assert statuses[503] <= BOUNDS.body_bytes // 100_000
        await server.until_nobody_holds_anything()
        assert server.guard._holdings._total.body_bytes == 0
