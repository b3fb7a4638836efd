"""What the signature of a handler says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from durable_execution.orpc import UNDEFINED, CallContext, ORPCError, call, rpc

if TYPE_CHECKING:
    from nowhere import OnlyForTheTypeChecker


@dataclass
class Planet:
    id: int
    name: str = "Earth"


async def test_hints_of_the_handler_are_the_schemas() -> None:
    @rpc.handler
    async def find(ctx: CallContext, planet: Planet) -> Planet:
        assert isinstance(planet, Planet)
        return {"id": planet.id, "name": 5}  # type: ignore[return-value]

    with pytest.raises(ORPCError, match="Output validation failed"):
        await call(find, {"id": 1})


async def test_explicit_schemas_win_over_hints() -> None:
    @rpc.input(int).output(int).handler
    def double(ctx: CallContext, value: str) -> str:
        return value * 2

    assert await call(double, 4) == 8


async def test_handler_without_hints_takes_and_gives_anything() -> None:
    value = {"x": [UNDEFINED, {1}]}

    assert await call(rpc.handler(lambda ctx, given: given), value) is value


async def test_hints_of_other_parameters_need_not_exist_at_run_time() -> None:
    def find(ctx: OnlyForTheTypeChecker, planet: Planet) -> int:
        return planet.id

    assert await call(rpc.handler(find), {"id": 3}) == 3


def test_hint_that_cannot_be_resolved_is_named_when_defining() -> None:
    def find(ctx: CallContext, planet: OnlyForTheTypeChecker) -> None: ...

    with pytest.raises(TypeError, match=r"'OnlyForTheTypeChecker' of planet .* to \.input"):
        rpc.handler(find)


@pytest.mark.parametrize(
    ("handler", "result"),
    [
        (lambda: (), ()),
        (lambda ctx: ctx.path, ("p",)),
        (lambda ctx, value: value, 1),
        (lambda ctx, value=2: value, 1),
        (lambda *both: both[1], 1),
        (lambda ctx, value, *, more=3: value + more, 4),
    ],
)
async def test_handler_takes_as_much_as_it_needs(
    handler: Callable[..., Any], result: object
) -> None:
    assert await call(rpc.handler(handler), 1, path=("p",)) == result


@pytest.mark.parametrize(
    "handler",
    [lambda ctx, value, more: None, lambda ctx, value, *, session: None, lambda *, ctx: None],
)
def test_handler_that_requires_more_is_refused_when_defining(handler: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"expected parameters \(ctx, input\)"):
        rpc.handler(handler)


async def test_callable_object_is_a_handler() -> None:
    class Finder:
        async def __call__(self, ctx: CallContext, planet: Planet) -> Planet:
            return planet

    assert await call(rpc.handler(Finder()), {"id": 1}) == Planet(1)


class Shop:
    def find(self, ctx: CallContext, planet: Planet) -> int:
        return planet.id


def find_with(offset: int, ctx: CallContext, planet: Planet) -> int:
    return planet.id + offset


@pytest.mark.parametrize(
    ("handler", "result"),
    [(Shop().find, 3), (functools.partial(find_with, 10), 13)],
    ids=("method", "partial"),
)
async def test_hints_are_found_behind_methods_and_partials(
    handler: Callable[..., Any], result: int
) -> None:
    assert await call(rpc.handler(handler), {"id": 3}) == result
    with pytest.raises(ORPCError, match="Input validation failed"):
        await call(rpc.handler(handler), {"id": "x"})
