"""Event streams and batches with the real packages, in both directions and both versions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from durable_execution.orpc import (
    UNDEFINED,
    BatchHandlerPlugin,
    Batching,
    BigInt,
    CallContext,
    Dialect,
    Event,
    EventStreamOptions,
    ORPCClient,
    ORPCError,
    Return,
    Router,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)

if TYPE_CHECKING:
    from tests.interop.conftest import RunNode, StartServer

pytestmark = pytest.mark.interop

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLIENTS: dict[str, Dialect] = {
    "@orpc/client": "v1",
    "orpc-client-1-8-7": "v1",
    "orpc-client-2-beta": "v2",
}
SERVERS: dict[str, Dialect] = {"@orpc/server": "v1", "orpc-server-2-beta": "v2"}


async def count(ctx: CallContext, value: dict[str, int]) -> AsyncIterator[Any]:
    for n in range(int(ctx.last_event_id or 0), value["to"]):
        event = {"n": n, "at": EPOCH + timedelta(milliseconds=n)}
        yield Event(event, id=str(n + 1), retry=1.5, comments=["c"])
    yield Return("counted")


async def fails(ctx: CallContext) -> AsyncIterator[int]:
    yield 1
    raise ctx.errors.LOST(data={"n": 1})


async def crashes() -> AsyncIterator[int]:
    yield 1
    raise ValueError("secret")


async def silent() -> AsyncIterator[str]:
    await asyncio.sleep(0.3)  # several comments long
    yield "late"


async def total(ctx: CallContext, numbers: AsyncIterator[int]) -> int:
    return sum([number async for number in numbers])


async def refuses() -> None:
    raise ORPCError("CONFLICT")


def router() -> Router:
    running = 0

    async def endless() -> AsyncIterator[int]:
        nonlocal running
        running += 1
        try:
            while True:
                yield 1
                await asyncio.Event().wait()
        finally:
            running -= 1

    return {
        "ping": rpc.handler(lambda: "pong"),
        "nothing": rpc.handler(lambda: UNDEFINED),
        "echo": rpc.handler(lambda ctx, value: value),
        "find": rpc.route(method="GET").handler(lambda ctx, value: value),
        "count": rpc.route(method="GET").handler(count),
        "fails": rpc.errors({"LOST": {"status": 409, "message": "lost"}}).handler(fails),
        "crashes": rpc.handler(crashes),
        "endless": rpc.handler(endless),
        "running": rpc.handler(lambda: running),
        "silent": rpc.handler(silent),
        "total": rpc.handler(total),
        "refuses": rpc.handler(refuses),
    }


@pytest.fixture(scope="module", params=CLIENTS)
def outcomes(
    request: pytest.FixtureRequest, run_node: RunNode, serve_app: Callable[[Any], str]
) -> Mapping[str, Any]:
    dialect = CLIENTS[request.param]
    app = RPCHandler(
        router(),
        prefix="/rpc",
        dialect=dialect,
        events=EventStreamOptions(keep_alive=0.05),
        plugins=[BatchHandlerPlugin()],
    )
    finished = run_node("streams_client.mjs", [request.param, serve_app(app)])
    assert finished.returncode == 0, finished.stderr
    found: Mapping[str, Any] = json.loads(finished.stdout)
    return {**found, "dialect": dialect, "package": request.param}


BATCH = {
    "requests": 1,
    "pong": "pong",
    "date": "1970-01-01T00:00:00.000Z",
    "refused": "CONFLICT",
    "nothing": True,
}
EXPECTED: dict[str, Any] = {
    "valuesAndReturn": {"values": [0, 1, 2], "returned": "counted"},
    "metadata": {"id": "1", "retry": 1500, "comments": ["c"]},
    "resume": [3, 4],
    "declaredError": {"code": "LOST", "message": "lost", "defined": True, "data": {"n": 1}},
    "cancel": "ended",
    "abort": "ended",
    "keepAlive": ["late"],
    "get": 2,
    "input": 6,
    "getBatch": [1, 2],
    "streamInABatch": ["pong", "rejected"],
}
MASKED = {"v1": "Internal server error", "v2": "Internal Server Error"}


NOT_FOUND = {"v1": "NOT_FOUND", "v2": "MALFORMED_ORPC_ERROR_RESPONSE"}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_client_gets_what_it_expects(outcomes: Mapping[str, Any], name: str) -> None:
    has_no_metadata = name == "metadata" and outcomes["package"] == "orpc-client-1-8-7"
    assert outcomes[name] == ("not exported" if has_no_metadata else EXPECTED[name])


@pytest.mark.parametrize("name", ["streamingBatch", "bufferedBatch"])
def test_real_client_gets_the_answers_of_a_batch(outcomes: Mapping[str, Any], name: str) -> None:
    assert outcomes[name] == {**BATCH, "missing": NOT_FOUND[outcomes["dialect"]]}


def test_real_client_sees_a_masked_error_amid_a_stream(outcomes: Mapping[str, Any]) -> None:
    message = MASKED[outcomes["dialect"]]
    assert outcomes["maskedError"] == {"code": "INTERNAL_SERVER_ERROR", "message": message}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, start_orpc_server: StartServer) -> tuple[str, Dialect]:
    return start_orpc_server("streams_server.mjs", request.param).url, SERVERS[request.param]


@pytest.fixture
async def link(server: tuple[str, Dialect]) -> AsyncIterator[RPCLink]:
    async with RPCLink(server[0], dialect=server[1]) as opened:
        yield opened


@pytest.fixture
def client(link: RPCLink) -> ORPCClient:
    return create_orpc_client(link)


async def test_stream_of_a_real_server_is_read_to_its_return_value(client: ORPCClient) -> None:
    stream = await client.count({"to": 3})
    events = [event async for event in stream.events()]
    assert [event.value["n"] for event in events] == [0, 1, 2]
    assert events[1].value["at"] == EPOCH + timedelta(milliseconds=1)
    assert (events[0].id, events[0].retry, events[0].comments) == ("1", 1.5, ("c",))
    assert (stream.return_value, stream.last_event_id) == ("counted", "3")


async def test_stream_of_a_real_server_is_resumed(client: ORPCClient) -> None:
    stream = await client.count({"to": 5}, last_event_id="3")
    assert [value["n"] async for value in stream] == [3, 4]


async def test_error_of_a_real_server_amid_a_stream_is_raised(client: ORPCClient) -> None:
    for name, code, data in [
        ("fails", "CONFLICT", {"n": BigInt(1)}),
        ("crashes", "INTERNAL_SERVER_ERROR", UNDEFINED),
    ]:
        stream = await client[name]()
        assert await anext(stream) == 1
        with pytest.raises(ORPCError) as caught:
            await anext(stream)
        assert (caught.value.code, caught.value.data) == (code, data)


async def test_leaving_a_stream_ends_the_generator_of_a_real_server(client: ORPCClient) -> None:
    async with await client.endless() as stream:
        assert await anext(stream) == 1
    async with asyncio.timeout(30):
        while await client.running():
            # The server hears of it when the connection is closed, and tells nobody.
            await asyncio.sleep(0.01)


async def test_real_server_reads_a_stream_as_input(client: ORPCClient) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)
        yield 2

    assert await client.total(numbers()) == 3


@pytest.mark.parametrize("mode", ["streaming", "buffered"])
async def test_real_server_answers_our_batches(server: tuple[str, Dialect], mode: Any) -> None:
    url, dialect = server
    async with RPCLink(url, dialect=dialect, batch=Batching(mode=mode)) as link:
        client = create_orpc_client(link)
        before = await client.requests()
        pong, date, refused, missing, nothing = await asyncio.gather(
            client.ping(),
            client.echo(EPOCH),
            client.refuses(),
            client.no.such(),
            client.nothing(),
            return_exceptions=True,
        )
        assert (pong, date, nothing) == ("pong", EPOCH, UNDEFINED)
        assert isinstance(refused, ORPCError)
        assert (refused.code, refused.data) == ("CONFLICT", {"n": BigInt(1)})
        assert isinstance(missing, ORPCError)
        assert missing.code in {"NOT_FOUND", "MALFORMED_ORPC_ERROR_RESPONSE"}
        assert await client.requests() == before + 2


async def test_real_server_answers_more_calls_than_one_batch_holds(
    server: tuple[str, Dialect],
) -> None:
    url, dialect = server
    async with RPCLink(url, dialect=dialect, batch=Batching()) as link:
        calls = (link.call(["echo"], n) for n in range(25))
        assert await asyncio.gather(*calls) == list(range(25))
