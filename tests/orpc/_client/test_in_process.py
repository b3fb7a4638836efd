"""Client, link and server in one process, without a socket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from durable_execution._codec import UNDEFINED, BigInt, JsSet
from durable_execution.orpc import (
    CallContext,
    ORPCError,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)
from durable_execution.orpc._client import AsgiSender, ORPCClient
from tests.vectors.notation import same


@dataclass
class Planet:
    id: int
    name: str


@rpc.handler
async def echo(ctx: CallContext, input: object) -> object:
    return input


@rpc.handler
async def find(ctx: CallContext, input: Planet) -> Planet:
    if input.id == 0:
        raise ORPCError("NOT_FOUND", "No such planet", data={"id": BigInt(0)})
    return input


@rpc.handler
async def client_header(ctx: CallContext, input: object) -> str | None:
    return dict(ctx.headers).get("x-client")


@pytest.fixture
def client() -> ORPCClient:
    handler = RPCHandler(
        {"echo": echo, "planets": {"find": find}, "a/b": {"who": client_header}}, prefix="/rpc"
    )
    link = RPCLink("http://test/rpc", headers={"x-client": "lab"}, sender=AsgiSender(handler))
    return create_orpc_client(link)


@pytest.mark.parametrize(
    "value", [UNDEFINED, None, [UNDEFINED], {"at": datetime(2024, 1, 1, tzinfo=UTC)}, JsSet([1])]
)
async def test_values_come_back_equal(client: ORPCClient, value: object) -> None:
    assert same(await client.echo(value), value)


async def test_typed_values_travel_both_ways(client: ORPCClient) -> None:
    assert await client.planets.find(Planet(1, "Earth"), output=Planet) == Planet(1, "Earth")


async def test_error_of_the_procedure_arrives_whole(client: ORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.planets.find({"id": 0, "name": ""})
    error = caught.value
    assert (error.code, error.status, error.message) == ("NOT_FOUND", 404, "No such planet")
    assert same(error.data, {"id": BigInt(0)})


async def test_invalid_input_names_its_field(client: ORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.planets.find({"id": "one", "name": ""})
    assert caught.value.code == "BAD_REQUEST"
    assert [issue["path"] for issue in caught.value.data["issues"]] == [["id"]]


async def test_slash_inside_a_name_is_no_separator(client: ORPCClient) -> None:
    assert await client["a/b"].who() == "lab"


async def test_unknown_procedure_is_not_found(client: ORPCClient) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.a.b.who()
    assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)
