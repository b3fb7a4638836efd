"""What the type checkers must say of contracts and their errors. Checked, never run; see api.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, assert_type

from durable_execution import DurableExecutor, Task
from durable_execution.orpc import (
    CallContext,
    CompressionPlugin,
    Contract,
    CORSPlugin,
    Declared,
    DefinedError,
    EventStream,
    HandlerPlugin,
    Mode,
    ORPCClient,
    ORPCError,
    Procedure,
    RPCHandler,
    RPCLink,
    SafeResult,
    SimpleCsrfProtectionPlugin,
    Sync,
    SyncEventStream,
    SyncLink,
    SyncORPCClient,
    create_orpc_client,
    declared,
    rpc,
    safe,
)
from durable_execution.server import convert_procedure_client_to_task


@dataclass
class FindPlanet:
    id: int


@dataclass
class Planet:
    id: int


@dataclass
class Missing:
    id: int


class PlanetNotFound(DefinedError[Missing], status=404):
    pass


class NotSignedIn(DefinedError[None], code="UNAUTHORIZED"):
    pass


class Planets(Contract):
    find: Declared[FindPlanet, Planet] = declared(method="GET", errors=[PlanetNotFound])
    all: Declared[None, list[Planet]]
    first: Declared[FindPlanet, Planet | None]
    watch: Declared[FindPlanet, AsyncIterator[Planet]]


class App(Contract):
    planets: Planets
    ticks: Declared[None, AsyncIterator[int]]
    ping: Declared[None, str]


assert_type(Planets.find, Declared[FindPlanet, Planet])
assert_type(App.ping, Declared[None, str])
declared(method="FETCH")  # type: ignore[arg-type]  # pyright: ignore
declared(errors=[ORPCError])  # type: ignore[list-item]  # pyright: ignore


async def calling(link: RPCLink) -> None:
    assert_type(create_orpc_client(link), ORPCClient)
    app = create_orpc_client(link, contract=App)
    assert_type(app, App)
    assert_type(await app.ping(), str)
    assert_type(await app.ping(None), str)
    assert_type(await app.planets.find(FindPlanet(1), timeout=5), Planet)
    assert_type(await app.planets.all(), list[Planet])
    assert_type(await app.planets.first(FindPlanet(1)), Planet | None)
    assert_type(await app.planets.watch(FindPlanet(1)), EventStream[Planet])
    async with await app.planets.watch(FindPlanet(1)) as planets:
        async for planet in planets:
            assert_type(planet, Planet)
    assert_type(await app.ticks(), EventStream[int])
    await app.planets.watch("x")  # type: ignore[call-overload]  # pyright: ignore
    await app.planets.find()  # type: ignore[call-arg]  # pyright: ignore
    await app.planets.find(1)  # type: ignore[arg-type]  # pyright: ignore
    await app.planets.fnd(FindPlanet(1))  # type: ignore[attr-defined]  # pyright: ignore
    create_orpc_client(link, contract=int)  # type: ignore[type-var]  # pyright: ignore


async def catching(app: App) -> None:
    try:
        await app.planets.find(FindPlanet(1))
    except PlanetNotFound as error:
        assert_type(error.data, Missing)
        assert_type(error.data.id, int)
    result = await safe(app.planets.find(FindPlanet(1)))
    assert_type(result, SafeResult[Planet])
    if isinstance(result.error, PlanetNotFound):
        assert_type(result.error.data, Missing)
    match result.error:
        case PlanetNotFound(data=data):
            assert_type(data, Missing)
        case _:
            pass


def raising() -> None:
    PlanetNotFound(Missing(1))
    PlanetNotFound(Missing(1), "No such planet")
    PlanetNotFound("x")  # type: ignore[call-overload]  # pyright: ignore
    NotSignedIn()
    NotSignedIn(None, "Who?")
    NotSignedIn("x")  # type: ignore[call-overload]  # pyright: ignore


@rpc.implement(Planets.find)
async def find(ctx: CallContext, input: FindPlanet) -> Planet:
    return Planet(input.id)


@rpc.errors(NotSignedIn).implement(Planets.find)
def plain_find(ctx: CallContext, input: FindPlanet) -> Planet:
    return Planet(input.id)


@rpc.implement(Planets.first)
async def first(ctx: CallContext, input: FindPlanet) -> Planet:
    return Planet(input.id)


@rpc.implement(Planets.all)
async def all_planets(ctx: CallContext) -> list[Planet]:
    return []


@rpc.implement(Planets.watch)
async def watch(ctx: CallContext, input: FindPlanet) -> AsyncIterator[Planet]:
    yield Planet(input.id)


assert_type(find, Procedure)
assert_type(watch, Procedure)


@rpc.implement(Planets.find)  # type: ignore[arg-type]  # pyright: ignore
async def wrong_input(ctx: CallContext, input: Planet) -> Planet:
    return input


@rpc.implement(Planets.find)  # type: ignore[arg-type]  # pyright: ignore
async def wrong_output(ctx: CallContext, input: FindPlanet) -> str:
    return ""


@rpc.implement(Planets.find)  # type: ignore[arg-type]  # pyright: ignore
async def forgotten_input(ctx: CallContext) -> Planet:
    return Planet(1)


rpc.implement(Planets)  # type: ignore[arg-type]  # pyright: ignore
rpc.router({"find": find}, contract=Planets)
rpc.router({"find": find}, contract=int)  # type: ignore[arg-type]  # pyright: ignore


class Moons(Contract[Mode]):
    find: Declared[FindPlanet, Planet]


class Sky(Contract[Mode]):
    ticks: Declared[None, AsyncIterator[int]]
    moons: Moons[Mode]
    ping: Declared[None, str]


def blocking(link: SyncLink) -> None:
    assert_type(create_orpc_client(link), SyncORPCClient)
    sky = create_orpc_client(link, contract=Sky[Sync])
    assert_type(sky.ping(), str)
    with sky.ticks() as ticks:
        for tick in ticks:
            assert_type(tick, int)
    assert_type(sky.moons.find(FindPlanet(1), timeout=5), Planet)
    client = create_orpc_client(link)
    assert_type(client.planets.find({"id": 1}, output=Planet), Planet)
    assert_type(client.planets.watch(output=EventStream[Planet]), SyncEventStream[Planet])
    sky.moons.find(1)  # type: ignore[arg-type]  # pyright: ignore
    create_orpc_client(link, contract=App)  # type: ignore[type-var]  # pyright: ignore


def converting(executor: DurableExecutor, link: RPCLink) -> None:
    app = create_orpc_client(link, contract=App)
    find = convert_procedure_client_to_task(executor, {"id": "find"}, app.planets.find)
    assert_type(find, Task[FindPlanet, Planet])
    ping = convert_procedure_client_to_task(executor, {"id": "ping"}, app.ping)
    assert_type(ping, Task[None, str])
    untyped = create_orpc_client(link).planets.find
    assert_type(convert_procedure_client_to_task(executor, {"id": "a"}, untyped), Task[Any, Any])
    typed = convert_procedure_client_to_task(executor, {"id": "b"}, untyped, input=FindPlanet)
    assert_type(typed, Task[FindPlanet, Any])


class Silent(HandlerPlugin):
    pass


RPCHandler(
    {"find": find},
    plugins=[Silent(), CORSPlugin(), CompressionPlugin(), SimpleCsrfProtectionPlugin()],
)
RPCHandler({"find": find}, plugins=[CORSPlugin])  # type: ignore[list-item]  # pyright: ignore
