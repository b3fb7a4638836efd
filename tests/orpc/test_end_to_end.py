"""Client, link, handler and procedures in one process, with no socket in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution.orpc import (
    UNDEFINED,
    AsgiSender,
    CallContext,
    DefinedError,
    ORPCError,
    Request,
    RPCHandler,
    RPCLink,
    Rule,
    create_orpc_client,
    rpc,
    safe,
)
from tests.vectors.notation import OnlyJavaScript, from_notation, load_vectors, same


@dataclass
class Planet:
    id: int
    name: str
    seen_at: datetime


EARTH = Planet(1, "Earth", datetime(2024, 2, 29, tzinfo=UTC))


@rpc.errors({"NO_SUCH_PLANET": {"status": 404, "data": dict[str, int]}}).handler
async def find(ctx: CallContext, planet_id: int) -> Planet:
    if planet_id != EARTH.id:
        raise ctx.errors.NO_SUCH_PLANET(data={"id": planet_id})
    return EARTH


def vectors_with_a_value() -> list[Any]:
    kept = []
    for vector in load_vectors("values.json"):
        try:
            value = from_notation(vector["value"])
        except OnlyJavaScript:
            continue
        if not vector.get("lossy") and "decode_error" not in vector:
            kept.append(pytest.param(value, id=vector["name"]))
    return kept


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    router = {
        "echo": rpc.handler(lambda ctx, value: value),
        "planets": {"find": find, "odd name/é": rpc.handler(lambda ctx: list(ctx.path))},
        "headers": rpc.handler(lambda ctx: ctx.headers["authorization"]),
        "nothing": rpc.handler(lambda: UNDEFINED),
    }
    app = RPCHandler(router, prefix="/rpc")
    async with RPCLink("http://test/rpc", sender=AsgiSender(app)) as link:
        yield create_orpc_client(link)


@pytest.mark.parametrize("value", vectors_with_a_value())
async def test_value_survives_both_ways(client: Any, value: Any) -> None:
    assert same(await client.echo(value), value)


async def test_typed_result_is_the_dataclass_the_handler_returned(client: Any) -> None:
    assert await client.planets.find(1, output=Planet) == EARTH


async def test_declared_error_arrives_defined_with_its_data(client: Any) -> None:
    result = await safe(client.planets.find(2))

    assert isinstance(result.error, ORPCError)
    assert result.is_defined
    assert (result.error.code, result.error.data) == ("NO_SUCH_PLANET", {"id": 2})


async def test_name_with_a_slash_arrives_in_one_piece(client: Any) -> None:
    assert await client.planets["odd name/é"]() == ["planets", "odd name/é"]


async def test_headers_of_a_call_reach_the_handler(client: Any) -> None:
    assert await client.headers(headers={"authorization": "ada"}) == "ada"


async def test_undefined_stays_undefined(client: Any) -> None:
    assert await client.nothing() is UNDEFINED


async def test_unknown_procedure_is_not_found(client: Any) -> None:
    with pytest.raises(ORPCError) as caught:
        await client.no.such()

    assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)


@dataclass
class Stock:
    left: int


class OutOfStock(DefinedError[Stock], status=409):
    pass


class NotSignedIn(DefinedError[None], code="UNAUTHORIZED"):
    pass


async def test_class_raised_by_a_handler_is_caught_as_that_class() -> None:
    async def order(ctx: CallContext, amount: int) -> None:
        if amount > 2:
            raise OutOfStock(Stock(left=2))
        raise NotSignedIn()

    app = RPCHandler({"order": rpc.errors(OutOfStock, NotSignedIn).handler(order)})
    async with RPCLink("http://test", sender=AsgiSender(app)) as link:
        client = create_orpc_client(link)
        with pytest.raises(OutOfStock) as caught:
            await client.order(3, errors=[NotSignedIn, OutOfStock])
        with pytest.raises(NotSignedIn):
            await client.order(1, errors=[NotSignedIn, OutOfStock])
        with pytest.raises(ORPCError) as untyped:
            await client.order(3)
    assert caught.value.data == Stock(left=2)
    assert caught.value.__cause__ is None
    assert type(untyped.value) is ORPCError
    assert untyped.value.data == {"left": 2}


@dataclass(frozen=True)
class Money:
    cents: int
    currency: str
    since: datetime | None = None


MONEY = Rule(
    tag=21,
    matches=lambda value: isinstance(value, Money),
    encode=lambda money: [money.cents, money.currency, money.since],
    decode=lambda parts: Money(*parts),
)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_rule_of_both_sides_carries_a_type_of_the_application(method: Any) -> None:
    seen: list[Any] = []

    def double(ctx: CallContext, value: dict[str, Any]) -> dict[str, Any]:
        seen.append(value)
        money: Money = value["price"]
        return {"total": Money(2 * money.cents, money.currency, money.since)}

    def refuse(ctx: CallContext, value: Any) -> None:
        raise ORPCError("TOO_MUCH", data=[value])

    readable = rpc.route(method="GET")
    router = {"double": readable.handler(double), "refuse": readable.handler(refuse)}
    app = RPCHandler(router, rules=[MONEY])
    price = Money(950, "EUR", EARTH.seen_at)
    async with RPCLink("http://test", sender=AsgiSender(app), rules=[MONEY], method=method) as link:
        client = create_orpc_client(link)
        assert await client.double({"price": price}) == {"total": Money(1900, "EUR", EARTH.seen_at)}
        with pytest.raises(ORPCError) as caught:
            await client.refuse(price)
    assert seen == [{"price": price}]
    assert caught.value.data == [price]


async def test_rule_that_only_one_side_has_leaves_the_plain_form() -> None:
    app = RPCHandler({"price": rpc.handler(lambda: Money(5, "EUR"))}, rules=[MONEY])
    async with RPCLink("http://test", sender=AsgiSender(app)) as link:
        assert await create_orpc_client(link).price() == [5, "EUR", None]


async def test_get_is_chosen_for_what_may_be_read_and_given_up_for_long_inputs() -> None:
    seen: list[str] = []

    def method_of(request: Request) -> dict[str, Any]:
        seen.append(request.method)
        return {}

    find = rpc.route(method="GET").handler(lambda ctx, value: value)
    app = RPCHandler({"find": find, "change": rpc.handler(lambda: None)}, context=method_of)
    async with RPCLink("http://test", sender=AsgiSender(app), method="GET") as link:
        client = create_orpc_client(link)
        assert await client.find({"id": "é & ~"}) == {"id": "é & ~"}
        assert await client.find("x" * 2083) == "x" * 2083
        assert await client.find(1, method="POST") == 1
        with pytest.raises(ORPCError) as caught:
            await client.change()
    assert seen == ["GET", "POST", "POST"]
    assert (caught.value.code, caught.value.status) == ("METHOD_NOT_SUPPORTED", 405)


async def test_method_may_be_chosen_by_path_and_for_one_call() -> None:
    app = RPCHandler({"find": rpc.route(method="GET").handler(lambda ctx: ctx.path)})
    methods: list[Any] = []

    def choose(path: Any, value: object) -> Any:
        methods.append(tuple(path))
        return "GET"

    async with RPCLink("http://test", sender=AsgiSender(app), method=choose) as link:
        client = create_orpc_client(link)
        assert await client.find() == ["find"]
        assert await client.find(method="PUT") == ["find"]
        with pytest.raises(ValueError, match="method: expected one of"):
            await client.find(method="FETCH")
    assert methods == [("find",)]


@dataclass
class Invoice:
    total: Money


async def test_type_of_a_rule_may_stand_in_hints() -> None:
    @rpc.handler
    async def bill(ctx: CallContext, price: Money) -> Invoice:
        assert type(price) is Money
        return Invoice(price)

    app = RPCHandler({"bill": bill}, rules=[MONEY])
    async with RPCLink("http://test", sender=AsgiSender(app), rules=[MONEY]) as link:
        invoice = await create_orpc_client(link).bill(Money(5, "EUR"), output=Invoice)
    assert invoice == Invoice(Money(5, "EUR"))
