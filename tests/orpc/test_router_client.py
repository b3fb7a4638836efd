"""Procedures called through a client in the same process, with nothing in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from durable_execution.orpc import (
    CallContext,
    EventStream,
    Next,
    ORPCError,
    RouterLink,
    RPCTimeoutError,
    SyncLink,
    create_orpc_client,
    create_router_client,
    lazy,
    rpc,
)


@dataclass
class Planet:
    id: int
    name: str = "Earth"


async def mark(ctx: CallContext, input: Any, next: Next) -> Any:
    return await next(context={"marked": True})


@rpc.use(mark).errors({"NOT_FOUND": {"status": 404}}).handler
async def find(ctx: CallContext, input: Planet) -> Planet:
    assert ctx.context["marked"]
    if input.id == 0:
        raise ORPCError("NOT_FOUND", "No such planet")
    return input


@rpc.handler
async def seen(ctx: CallContext) -> list[Any]:
    return [ctx.path, dict(ctx.context), dict(ctx.headers), ctx.last_event_id]


@rpc.handler
async def bug(ctx: CallContext) -> None:
    raise LookupError("a bug")


@rpc.handler
async def hang(ctx: CallContext) -> None:
    await asyncio.Event().wait()


@rpc.handler
async def count(ctx: CallContext, input: int) -> AsyncIterator[int]:
    for number in range(input):
        yield number


ROUTER = {
    "planets": {"find": find},
    "a/b": lazy(lambda: {"seen": seen}),
    "bug": bug,
    "hang": hang,
    "count": count,
}


async def test_values_are_validated_and_passed_as_they_are() -> None:
    client = create_router_client(ROUTER)
    earth = Planet(1)
    assert await client.planets.find(earth, output=Planet) is earth
    assert await client.planets.find({"id": 2}) == Planet(2)
    with pytest.raises(ORPCError, match="Input validation failed"):
        await client.planets.find({"id": "two"})


async def test_error_is_marked_as_on_the_wire() -> None:
    with pytest.raises(ORPCError) as caught:
        await create_router_client(ROUTER).planets.find(Planet(0))
    assert caught.value.defined


async def test_any_other_exception_comes_out_as_it_was_raised() -> None:
    with pytest.raises(LookupError, match="a bug"):
        await create_router_client(ROUTER).bug()


async def test_unknown_procedure_is_not_found() -> None:
    with pytest.raises(ORPCError, match="No procedure at planets/lose") as caught:
        await create_router_client(ROUTER).planets.lose()
    assert (caught.value.code, caught.value.defined) == ("NOT_FOUND", False)


async def test_procedure_sees_path_headers_and_event_id() -> None:
    client = create_router_client(ROUTER)
    answer = await client["a/b"].seen(headers={"X-A": "1"}, last_event_id="7")
    assert answer == [("a/b", "seen"), {}, {"x-a": "1"}, "7"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_context_is_made_for_each_call(is_async: bool) -> None:
    made: list[int] = []

    def context() -> Any:
        made.append(len(made))
        answer = {"call": made[-1]}

        async def later() -> dict[str, int]:
            return answer

        return later() if is_async else answer

    client = create_router_client(ROUTER, context=context)
    assert [(await client["a/b"].seen())[1] for _ in range(2)] == [{"call": 0}, {"call": 1}]


async def test_one_context_for_all_is_not_changed_by_calls() -> None:
    shared = {"user": "ada"}
    client = create_router_client(ROUTER, context=shared)
    await client.planets.find(Planet(1))
    assert (await client["a/b"].seen())[1] == shared == {"user": "ada"}


async def test_call_beyond_its_timeout_is_given_up() -> None:
    with pytest.raises(RPCTimeoutError):
        await create_router_client(ROUTER).hang(timeout=0.01)


async def test_stream_is_read_as_over_the_network() -> None:
    stream = await create_router_client(ROUTER).count(3, output=EventStream[int])
    assert [number async for number in stream] == [0, 1, 2]


def test_calls_may_block() -> None:
    with SyncLink(RouterLink(ROUTER)) as link:
        client = create_orpc_client(link)
        assert client.planets.find(Planet(1), output=Planet) == Planet(1)
        assert list(client.count(2)) == [0, 1]
        with pytest.raises(LookupError):
            client.bug()
    assert repr(link) == "<SyncLink <RouterLink>>"
