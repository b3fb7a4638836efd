"""Our client against a real @orpc/server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from durable_execution._codec import (
    UNDEFINED,
    BigInt,
    EncodeError,
    JsDate,
    JsMap,
    JsSet,
    RegExp,
    Url,
)
from durable_execution.orpc._client import (
    ORPCClient,
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
    create_orpc_client,
    safe,
)
from durable_execution.orpc._protocol import ORPCError, is_defined_error
from tests.vectors.notation import from_notation, load_vectors, same

if TYPE_CHECKING:
    from tests.interop.conftest import NodeServer, StartServer

pytestmark = pytest.mark.interop

WHEN = datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=UTC)
RICH = {
    "bigint": BigInt(12345678901234567890),
    "date": WHEN,
    "invalidDate": JsDate(None),
    "nan": math.nan,
    "list": [UNDEFINED, None, 1.5],
    "url": Url("https://example.com/a?b=c"),
    "regexp": RegExp(r"a\/b", "gi"),
    "set": JsSet([1, "a", {"nested": datetime(1970, 1, 1, tzinfo=UTC)}]),
    "map": JsMap([(1, "one"), ("two", JsSet([BigInt(2)]))]),
}

REFUSED = "the codec refuses what the wire would lose"
ONLY_JAVASCRIPT = "Python has no such value"
NOT_SENT = {
    "number-infinity": REFUSED,
    "number-negative-infinity": REFUSED,
    "object-__proto__-own-key-plain": REFUSED,
    "object-__proto__-own-key-with-date": REFUSED,
    "array-hole": ONLY_JAVASCRIPT,
    "object-function-property": ONLY_JAVASCRIPT,
    "array-of-functions-and-symbols": ONLY_JAVASCRIPT,
    "instance-plain-class": ONLY_JAVASCRIPT,
    "instance-inside-object": ONLY_JAVASCRIPT,
    "instance-error": ONLY_JAVASCRIPT,
    "instance-uint8array": ONLY_JAVASCRIPT,
}
VALUES = {vector["name"]: vector for vector in load_vectors("values.json")}


@dataclass
class Planet:
    id: int
    name: str
    seenAt: datetime | None = None  # noqa: N815 - the name on the wire


@pytest.fixture
async def link(orpc_server: NodeServer) -> AsyncIterator[RPCLink]:
    async with RPCLink(orpc_server.url) as opened:
        yield opened


@pytest.fixture
def client(link: RPCLink) -> ORPCClient:
    return create_orpc_client(link)


async def test_plain_call(client: ORPCClient) -> None:
    assert await client.ping() == "pong"


async def test_undefined_comes_back_as_undefined(client: ORPCClient) -> None:
    assert await client.nothing() is UNDEFINED
    assert await client.echo() is UNDEFINED


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, 2**53 - 1, "", "é \U0001f600 \ud800", [], {}, {"a": [None, {"b": ""}]}],
)
async def test_plain_values_come_back_equal(client: ORPCClient, value: object) -> None:
    assert same(await client.echo(value), value)


@pytest.mark.parametrize("name", sorted(VALUES.keys() - NOT_SENT.keys()))
async def test_recorded_value_comes_back_as_the_reference_returns_it(
    client: ORPCClient, name: str
) -> None:
    vector = VALUES[name]
    expected = from_notation(vector.get("decoded", vector["value"]))
    assert same(await client.echo(from_notation(vector["value"])), expected)


@pytest.mark.parametrize("name", sorted(name for name in NOT_SENT if NOT_SENT[name] == REFUSED))
async def test_value_the_wire_would_lose_is_refused(client: ORPCClient, name: str) -> None:
    with pytest.raises(EncodeError):
        await client.echo(from_notation(VALUES[name]["value"]))


async def test_rich_types_of_the_server_arrive(client: ORPCClient) -> None:
    assert same(await client.rich(), RICH)


async def test_rich_types_come_back_equal(client: ORPCClient) -> None:
    assert same(await client.echo(RICH), RICH)


async def test_server_sees_the_types_we_mean(client: ORPCClient) -> None:
    assert await client.describe(RICH) == {
        "bigint": "bigint 12345678901234567890",
        "date": "date 2024-02-29T12:34:56.789Z",
        "invalidDate": "date invalid",
        "nan": "number NaN",
        "list": ["undefined", "null", "number 1.5"],
        "url": "url https://example.com/a?b=c",
        "regexp": r"regexp /a\/b/gi",
        "set": {"set": ["number 1", "string a", {"nested": "date 1970-01-01T00:00:00.000Z"}]},
        "map": {"map": [["number 1", "string one"], ["string two", {"set": ["bigint 2"]}]]},
    }


async def test_nested_and_odd_paths(client: ORPCClient) -> None:
    assert await client.deep.er.still() == ["deep", "er", "still"]
    assert await client["odd name/é"]() == "odd"


async def test_typed_input_and_output(client: ORPCClient) -> None:
    sent = {"name": "Mars", "seenAt": WHEN}
    assert await client.planet.create(sent, output=Planet) == Planet(2, "Mars", WHEN)


async def test_error_with_data(client: ORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.errors.withData()
    error = caught.value
    assert (error.code, error.status, error.message) == ("NOT_FOUND", 404, "No such planet")
    assert same(error.data, {"id": BigInt(7), "at": datetime(1970, 1, 1, tzinfo=UTC)})
    assert not error.defined


async def test_custom_code_and_status(client: ORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.errors.customStatus()
    assert (caught.value.code, caught.value.status) == ("OUT_OF_STOCK", 409)
    assert caught.value.message == "OUT_OF_STOCK"
    assert caught.value.data is UNDEFINED


async def test_declared_error_is_defined(client: ORPCClient) -> None:
    error, data, is_defined, is_success = await safe(client.errors.declared())
    assert is_defined_error(error)
    assert (error.code, error.status, error.message) == ("LIMIT", 429, "Slow down")
    assert error.data == {"retryAfterMs": 250}
    assert (data, is_defined, is_success) == (None, True, False)


@pytest.mark.parametrize(
    ("name", "message"),
    [("plain", "Internal server error"), ("invalidOutput", "Output validation failed")],
)
async def test_unexpected_error_is_masked(client: ORPCClient, name: str, message: str) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.errors[name]()
    assert (caught.value.code, caught.value.status) == ("INTERNAL_SERVER_ERROR", 500)
    assert caught.value.message == message
    assert caught.value.data is UNDEFINED


async def test_unknown_procedure_is_not_found(client: ORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.no.such.thing({"a": 1})
    assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)
    assert caught.value.data["headers"]["content-type"] == "text/plain"


async def test_validation_failure_carries_its_issues(client: ORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.planet.create({"name": ""})
    assert (caught.value.code, caught.value.status) == ("BAD_REQUEST", 400)
    assert caught.value.message == "Input validation failed"
    assert [issue["path"] for issue in caught.value.data["issues"]] == [["name"]]


async def test_get_sends_the_input_in_the_url(orpc_server: NodeServer) -> None:
    async with RPCLink(orpc_server.url, method="GET") as link:
        client = create_orpc_client(link)
        assert await client.planet.find({"id": 3}) == {"id": 3, "name": "Earth"}
        sent = {"text": "a b+c&d=é~*%", "when": WHEN}
        seen = await client.request(sent)
    assert seen["method"] == "GET"
    assert same(seen["input"], sent)


async def test_get_too_long_for_a_url_becomes_a_post(orpc_server: NodeServer) -> None:
    async with RPCLink(orpc_server.url, method="GET") as link:
        seen = await create_orpc_client(link).request("x" * 2083)
    assert (seen["method"], seen["input"]) == ("POST", "x" * 2083)


async def test_get_to_a_procedure_not_declared_so_is_refused(orpc_server: NodeServer) -> None:
    async with RPCLink(orpc_server.url, method="GET") as link:
        with pytest.raises(ORPCError) as caught:
            await create_orpc_client(link).ping()
    assert (caught.value.code, caught.value.status) == ("METHOD_NOT_SUPPORTED", 405)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods_carry_a_body(orpc_server: NodeServer, method: Any) -> None:
    async with RPCLink(orpc_server.url, method=method) as link:
        seen = await create_orpc_client(link).request({"a": 1})
    assert (seen["method"], seen["input"]) == (method, {"a": 1})


async def test_headers_and_query_reach_the_context_of_the_server(orpc_server: NodeServer) -> None:
    async with RPCLink(
        f"{orpc_server.url}/?tenant=a%20b", headers={"X-Client": ["a", "b"]}
    ) as link:
        seen = await create_orpc_client(link).request(last_event_id="ev-7")
    assert (seen["client"], seen["lastEventId"], seen["query"]) == ("a, b", "ev-7", "a b")


async def test_many_calls_at_once_keep_their_answers_apart(client: ORPCClient) -> None:
    answers = await asyncio.gather(*(client.echo(number) for number in range(200)))
    assert answers == list(range(200))


async def test_html_error_page_becomes_an_error_by_status(orpc_server: NodeServer) -> None:
    async with RPCLink(f"{orpc_server.origin}/html") as link:
        with pytest.raises(ORPCError) as caught:
            await create_orpc_client(link).ping()
    assert (caught.value.code, caught.value.status) == ("BAD_GATEWAY", 502)
    assert caught.value.data["body"] is UNDEFINED


async def test_body_that_is_no_json_is_a_local_error(orpc_server: NodeServer) -> None:
    async with RPCLink(f"{orpc_server.origin}/not-json") as link:
        with pytest.raises(RPCResponseError, match="Cannot parse response body"):
            await create_orpc_client(link).ping()


async def test_redirect_is_an_answer_of_its_own(orpc_server: NodeServer) -> None:
    async with RPCLink(f"{orpc_server.origin}/redirect") as link:
        assert await create_orpc_client(link).ping() == "not followed"


async def test_endless_answer_is_cut_off(orpc_server: NodeServer) -> None:
    async with RPCLink(f"{orpc_server.origin}/endless", max_response_size=1_000_000) as link:
        with pytest.raises(RPCResponseError, match="larger than 1000000 bytes"):
            await create_orpc_client(link).ping()


@pytest.mark.parametrize("way", ["hangs-up", "dies-midway"])
async def test_connection_cut_by_the_server(orpc_server: NodeServer, way: str) -> None:
    async with RPCLink(f"{orpc_server.origin}/{way}") as link:
        with pytest.raises(RPCConnectionError) as caught:
            await create_orpc_client(link).ping()
    assert caught.value.was_sent


async def test_server_killed_during_a_call_and_gone_after_it(
    start_orpc_server: StartServer,
) -> None:
    server = start_orpc_server()
    async with RPCLink(server.url) as link:
        client = create_orpc_client(link)
        call = asyncio.create_task(client.slow({"ms": 60_000}))
        while await client.underway() == 0:
            pass  # each turn asks the server, which has not read the slow call yet
        server.process.kill()
        with pytest.raises(RPCConnectionError) as midway:
            await call
    server.process.wait()
    # A new link: the pool of the first may still hold a connection it does not know to be dead.
    async with RPCLink(server.url) as link:
        with pytest.raises(RPCConnectionError) as refused:
            await create_orpc_client(link).ping()
    assert midway.value.was_sent
    assert not refused.value.was_sent


async def test_slow_procedure_times_out_and_the_link_stays_usable(client: ORPCClient) -> None:
    with pytest.raises(RPCTimeoutError, match=r"No answer within 0\.05 seconds"):
        await client.slow({"ms": 60_000}, timeout=0.05)
    assert await client.slow({"ms": 1}) == "late"
