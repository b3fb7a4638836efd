"""The beta of version 2 against our packages: values, errors, events, batches."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from durable_execution.orpc import (
    UNDEFINED,
    BatchHandlerPlugin,
    Batching,
    BigInt,
    CallContext,
    EventStream,
    HandlerPlugin,
    JsMap,
    JsSet,
    NextRequest,
    OctetStream,
    ORPCError,
    RegExp,
    Request,
    Response,
    Return,
    RPCHandler,
    RPCLink,
    Url,
    create_orpc_client,
    rpc,
)
from tests.vectors.notation import same

if TYPE_CHECKING:
    from tests.interop.conftest import RunNode, StartServer

pytestmark = pytest.mark.interop


class Batches(HandlerPlugin):
    """Counts the requests that hold several calls."""

    def __init__(self) -> None:
        self.seen = 0

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        self.seen += request.header("orpc-batch") is not None
        return await next(request)


RICH = {
    "bigint": BigInt(12345678901234567890),
    "date": datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC),
    "nan": math.nan,
    "list": [UNDEFINED, None, 1.5],
    "url": Url("https://example.com/a?b=c"),
    "regexp": RegExp(r"a\/b", "gi"),
    "set": JsSet([1, "a", {"nested": datetime(1970, 1, 1, tzinfo=UTC)}]),
    "map": JsMap([(1, "one"), ("two", JsSet([BigInt(2)]))]),
}


async def not_found(ctx: CallContext) -> None:
    raise ORPCError("NOT_FOUND", "No such item", data={"id": BigInt(7)})


async def sold_out(ctx: CallContext) -> None:
    raise ctx.errors.SOLD_OUT(data={"left": 0})


async def bug(ctx: CallContext) -> None:
    raise RuntimeError("the password is hunter2")


async def count(ctx: CallContext, value: dict[str, int]) -> AsyncIterator[Any]:
    for i in range(value["to"]):
        yield {"i": i, "at": datetime.fromtimestamp(i, UTC)}
    yield Return("counted")


async def add_up(ctx: CallContext, values: EventStream[int]) -> int:
    return sum([value async for value in values])


@pytest.fixture(scope="module")
def outcomes(run_node: RunNode, serve_app: Callable[[Any], str]) -> Mapping[str, Any]:
    batches = Batches()
    router = {
        "ping": rpc.handler(lambda ctx: "pong"),
        "echo": rpc.handler(lambda ctx, value: value),
        "nothing": rpc.handler(lambda ctx: UNDEFINED),
        "count": rpc.handler(count),
        "sum": rpc.handler(add_up),
        "batches": rpc.handler(lambda ctx: batches.seen),
        "odd name/é": rpc.handler(lambda ctx: "odd"),
        "errors": {
            "notFound": rpc.handler(not_found),
            "soldOut": rpc.errors({"SOLD_OUT": {"data": dict[str, int]}}).handler(sold_out),
            "bug": rpc.handler(bug),
        },
    }
    handler = RPCHandler(
        router, prefix="/rpc", dialect="v2", plugins=[batches, BatchHandlerPlugin()]
    )
    origin = serve_app(handler)
    finished = run_node("v2_client.mjs", [origin])
    assert finished.returncode == 0, finished.stderr
    outcomes: Mapping[str, Any] = json.loads(finished.stdout)
    return outcomes


def error(code: str, message: str, data: object = None, *, defined: bool = False) -> Any:
    found = {"code": code, "message": message, "defined": defined, "inferable": defined}
    return {"error": found if data is None else found | {"data": data}}


OUTCOMES = {
    "plain": {"result": "pong"},
    "get": {"result": {"a": "b c"}},
    "echoesEveryType": {"result": "same"},
    "undefinedBothWays": {"result": True},
    "events": {"result": [[0, True], [1, True], "counted"]},
    "eventsAsInput": {"result": 6},
    "batchStreaming": {"result": ["pong", True, "NOT_FOUND", 1]},
    "batchBuffered": {"result": ["pong", True, "NOT_FOUND", 2]},
    "oddPath": {"result": "odd"},
    "notFound": error("NOT_FOUND", "No such item", {"id": "7"}),
    "declared": error("SOLD_OUT", "Sold Out", {"left": 0}, defined=True),
    "masked": error("INTERNAL_SERVER_ERROR", "Internal Server Error"),
}


@pytest.mark.parametrize("scenario", OUTCOMES)
def test_real_client_of_version_2(scenario: str, outcomes: Mapping[str, Any]) -> None:
    assert outcomes[scenario] == OUTCOMES[scenario]


def test_every_scenario_of_the_script_is_checked(outcomes: Mapping[str, Any]) -> None:
    assert outcomes.keys() == OUTCOMES.keys()


# Our client against the real server


@pytest.fixture(scope="module")
def url(start_orpc_server: StartServer) -> str:
    return start_orpc_server("files_server.mjs", "orpc-server-2-beta").url


@pytest.fixture
async def client(url: str) -> AsyncIterator[Any]:
    async with RPCLink(url, dialect="v2") as link:
        yield create_orpc_client(link)


async def test_real_server_of_version_2_answers(client: Any, url: str) -> None:
    assert await client.ping() == "pong"
    assert await client.nothing() is UNDEFINED
    assert await client.echo() is UNDEFINED
    assert same(await client.echo(RICH), RICH)
    async with RPCLink(url, dialect="v2", method="GET") as link:
        reading = create_orpc_client(link)
        assert same(await reading.echo(RICH), RICH)
        assert await reading.echo() is UNDEFINED


@pytest.mark.parametrize(
    ("name", "code", "status", "message"),
    [
        ("notFound", "NOT_FOUND", 404, "No such item"),
        ("plain", "INTERNAL_SERVER_ERROR", 500, "Internal Server Error"),
        ("gone", "GONE", 410, "Gone"),
    ],
)
async def test_real_server_of_version_2_raises(
    client: Any, name: str, code: str, status: int, message: str
) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.errors[name]()
    found = caught.value
    assert (found.code, found.status, found.message, found.defined) == (
        code,
        status,
        message,
        False,
    )
    assert same(found.data, {"id": BigInt(7)} if name == "notFound" else UNDEFINED)


async def test_real_server_of_version_2_sends_events(client: Any) -> None:
    events = await client.count({"to": 2})
    assert [event["i"] async for event in events] == [0, 1]
    assert events.return_value == "counted"


@pytest.mark.parametrize("mode", ["streaming", "buffered"])
async def test_real_server_of_version_2_answers_a_batch(url: str, mode: Any) -> None:
    async with RPCLink(url, dialect="v2", batch=Batching(mode=mode)) as link:
        client = create_orpc_client(link)
        calls = [client.ping(), client.echo(RICH), client.errors.notFound()]
        pong, rich, error = await asyncio.gather(*calls, return_exceptions=True)
    assert pong == "pong"
    assert same(rich, RICH)
    assert isinstance(error, ORPCError)
    assert error.code == "NOT_FOUND"


async def test_real_server_of_version_2_sends_a_stream_of_bytes(client: Any) -> None:
    received = await client.bytes()
    assert isinstance(received, OctetStream)
    assert await received.read() == b"raw bytes"
    await received.aclose()
    again = await client.bytes()
    await again.aclose()
    assert await client.ping() == "pong"
