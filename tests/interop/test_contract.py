"""One contract in both languages: each client against the other's server, plugins included."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from durable_execution.orpc import (
    BigInt,
    CallContext,
    CompressionPlugin,
    Contract,
    CORSPlugin,
    Declared,
    DefinedError,
    ORPCError,
    Return,
    RPCHandler,
    RPCLink,
    Rule,
    SimpleCsrfProtectionPlugin,
    create_orpc_client,
    declared,
    rpc,
)

pytestmark = pytest.mark.interop

SEEN_AT = datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC)
APP = "https://app.example"


class Started(Protocol):
    @property
    def url(self) -> str: ...


@dataclass
class FindPlanet:
    id: int


@dataclass
class NewPlanet:
    name: str
    seenAt: datetime  # noqa: N815 - the name on the wire


@dataclass
class Planet:
    id: int
    name: str
    seenAt: datetime  # noqa: N815


@dataclass
class Until:
    until: datetime


class PlanetNotFound(DefinedError[FindPlanet], status=404, message="No such planet"):
    pass


class Closed(DefinedError[Until], status=409):
    pass


class Unauthorized(DefinedError[None]):
    pass


class Planets(Contract):
    find: Declared[FindPlanet, Planet] = declared(method="GET", errors=[PlanetNotFound])
    create: Declared[NewPlanet, Planet]
    visit: Declared[FindPlanet, None] = declared(errors=[Closed, Unauthorized])
    watch: Declared[FindPlanet, AsyncIterator[Planet | Return[int]]]


class App(Contract, rename="camel"):
    planets: Planets
    server_time: Declared[None, datetime] = declared(method="GET")


@rpc.implement(Planets.find)
async def find(ctx: CallContext, input: FindPlanet) -> Planet:
    if input.id != 1:
        raise PlanetNotFound(input)
    return Planet(1, "Earth", SEEN_AT)


@rpc.implement(Planets.create)
async def create(ctx: CallContext, input: NewPlanet) -> Planet:
    return Planet(2, input.name, input.seenAt)


@rpc.implement(Planets.visit)
def visit(ctx: CallContext, input: FindPlanet) -> None:
    if input.id == 2:
        raise Closed(Until(SEEN_AT))
    if input.id == 3:
        raise Unauthorized()


@rpc.implement(Planets.watch)
async def watch(ctx: CallContext, input: FindPlanet) -> AsyncIterator[Planet | Return[int]]:
    yield Planet(input.id, "seen", SEEN_AT)
    yield Return(1)


@rpc.implement(App.server_time)
def server_time(ctx: CallContext) -> datetime:
    ctx.response_headers.add("set-cookie", "a=1; Path=/")
    ctx.response_headers.add("set-cookie", "b=2")
    return SEEN_AT


@dataclass
class Money:
    cents: int
    since: datetime


MONEY = Rule(
    tag=21,
    matches=lambda value: isinstance(value, Money),
    encode=lambda money: [BigInt(money.cents), money.since],
    decode=lambda parts: Money(*parts),
)


def double(ctx: CallContext, value: dict[str, Money]) -> dict[str, Money]:
    return {"price": Money(value["price"].cents * 2, value["price"].since)}


PLANETS: Any = {"find": find, "create": create, "visit": visit, "watch": watch}


@pytest.fixture(scope="module")
def outcomes(serve_app: Callable[[Any], str], run_node: Any) -> dict[str, Any]:
    app = RPCHandler(
        {
            **rpc.router({"planets": PLANETS, "server_time": server_time}, contract=App),
            "double": rpc.handler(double),
        },
        prefix="/rpc",
        rules=[MONEY],
        plugins=[
            CORSPlugin(origin=[APP], credentials=True, expose_headers=["x-a"], max_age=600),
            CompressionPlugin(),
            SimpleCsrfProtectionPlugin(),
        ],
    )
    finished = run_node("contract_client.mjs", [f"{serve_app(app)}/rpc"])
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


CORS = {
    "access-control-allow-origin": APP,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "x-a",
}
OUTCOMES = {
    "find": ["GET", "Earth"],
    "create": ["POST", 2, "Mars", 0],
    "serverTime": ["GET", "2024-02-29T12:34:56.789Z"],
    "nothing": "null",
    "notFound": {
        "code": "PLANET_NOT_FOUND",
        "status": 404,
        "message": "No such planet",
        "data": {"id": 7},
        "isDefined": True,
    },
    "closed": ["CLOSED", 409, "2024-02-29T12:34:56.789Z"],
    "unauthorized": {
        "code": "UNAUTHORIZED",
        "status": 401,
        "message": "Unauthorized",
        "isDefined": True,
    },
    "strictGet": {
        "code": "METHOD_NOT_SUPPORTED",
        "status": 405,
        "message": "Method Not Supported",
        "isDefined": False,
    },
    "csrf": {
        "code": "CSRF_TOKEN_MISMATCH",
        "status": 403,
        "message": "Invalid CSRF token",
        "isDefined": False,
    },
    "preflight": [
        204,
        "",
        {
            **CORS,
            "access-control-max-age": "600",
            "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE, PATCH",
            "access-control-allow-headers": "content-type,x-csrf-token",
        },
    ],
    "cors": CORS,
    "corsOfAnError": [404, APP],
    "corsOfAStranger": [None, "Origin"],
    "watch": [[3, True], 1, None],
    "compressed": ["gzip", 5000],
    "ownType": ["10", "bigint", 0],
    "cookies": ["a=1; Path=/", "b=2"],
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_real_client_meets_our_server(outcomes: dict[str, Any], name: str) -> None:
    assert outcomes[name] == OUTCOMES[name]


def test_bad_input_is_refused_with_its_place(outcomes: dict[str, Any]) -> None:
    refused = outcomes["invalid"]
    assert (refused["status"], refused["message"]) == (400, "Input validation failed")
    assert refused["data"]["issues"][0]["path"] == ["id"]


def test_every_scenario_is_looked_at(outcomes: dict[str, Any]) -> None:
    assert outcomes.keys() == {*OUTCOMES, "invalid"}


@pytest.fixture(scope="module")
def contract_server(start_orpc_server: Any) -> Started:
    started: Started = start_orpc_server("contract_server.mjs")
    return started


@pytest.fixture
async def app(contract_server: Started) -> AsyncIterator[App]:
    async with RPCLink(contract_server.url, csrf=True) as link:
        yield create_orpc_client(link, contract=App)


async def test_our_client_meets_a_real_server(app: App) -> None:
    # The server tells by which method it was called.
    assert await app.planets.find(FindPlanet(1)) == Planet(1, "GET", SEEN_AT)
    assert await app.planets.create(NewPlanet("Mars", SEEN_AT)) == Planet(2, "Mars", SEEN_AT)
    assert await app.server_time() == SEEN_AT
    assert await app.planets.visit(FindPlanet(1)) is None


async def test_stream_of_a_real_server_has_the_declared_values(app: App) -> None:
    async with await app.planets.watch(FindPlanet(3)) as planets:
        assert [planet async for planet in planets] == [Planet(3, "seen", SEEN_AT)]
    assert planets.return_value == 1


async def test_errors_of_a_real_server_are_our_classes(app: App) -> None:
    with pytest.raises(PlanetNotFound) as missing:
        await app.planets.find(FindPlanet(7))
    with pytest.raises(Closed) as closed:
        await app.planets.visit(FindPlanet(2))
    with pytest.raises(Unauthorized):
        await app.planets.visit(FindPlanet(3))
    assert missing.value.data == FindPlanet(7)
    assert closed.value.data == Until(SEEN_AT)


async def test_real_server_refuses_a_call_without_the_csrf_header(
    contract_server: Started,
) -> None:
    async with RPCLink(contract_server.url) as link:
        with pytest.raises(ORPCError) as caught:
            await create_orpc_client(link, contract=App).server_time()
    assert (caught.value.code, caught.value.status) == ("CSRF_TOKEN_MISMATCH", 403)
