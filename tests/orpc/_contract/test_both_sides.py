"""One contract, implemented by a server and called by a client, with no socket in between."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution.orpc import (
    AsgiSender,
    CallContext,
    Contract,
    Declared,
    HandlerPlugin,
    NextRequest,
    ORPCError,
    Request,
    Response,
    RouterLink,
    RPCHandler,
    RPCLink,
    RPCResponseError,
    Undefined,
    create_orpc_client,
    lazy,
    rpc,
)
from tests.orpc._contract.shop import (
    FindItem,
    Item,
    ItemNotFound,
    Items,
    NewItem,
    NotSignedIn,
    OutOfStock,
    Shop,
    Stock,
)

THEN = datetime(2024, 2, 29, tzinfo=UTC)


@rpc.implement(Items.find)
async def find(ctx: CallContext, input: FindItem) -> Item:
    if input.id != 1:
        raise ItemNotFound(input)
    return Item(1, THEN)


@rpc.implement(Items.create)
def create(ctx: CallContext, input: NewItem) -> Item:
    return Item(len(input.name), THEN)


@rpc.implement(Items.order)
async def order(ctx: CallContext, input: FindItem) -> None:
    if input.id > 2:
        raise OutOfStock(Stock(left=2))
    if input.id == 2:
        raise NotSignedIn()


@rpc.implement(Items.watch)
async def watch(ctx: CallContext, input: FindItem) -> AsyncIterator[Item]:
    yield Item(1, THEN)
    raise OutOfStock(Stock(left=0))


@rpc.implement(Shop.server_time)
async def server_time(ctx: CallContext) -> datetime:
    return THEN


@rpc.implement(Shop.find_all)
async def find_all(ctx: CallContext) -> list[Item]:
    return [Item(1, THEN)]


@rpc.implement(Shop.odd)
async def odd(ctx: CallContext, input: str | None) -> str | None:
    return input


ITEMS: Any = {"find": find, "create": create, "order": order, "watch": watch}
SHOP: Any = {"items": ITEMS, "server_time": server_time, "find_all": find_all, "odd": odd}


class Seen(HandlerPlugin):
    """Remembers what was asked for."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        self.requests.append(request)
        return await next(request)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def shop(seen: Seen) -> AsyncIterator[Shop]:
    app = RPCHandler(rpc.router(SHOP, contract=Shop), plugins=[seen])
    async with RPCLink("http://test", sender=AsgiSender(app)) as link:
        yield create_orpc_client(link, contract=Shop)


async def test_outputs_are_the_declared_types(shop: Shop) -> None:
    assert await shop.items.find(FindItem(1)) == Item(1, THEN)
    assert await shop.items.create(NewItem(name="lamp")) == Item(4, THEN)
    assert await shop.find_all() == [Item(1, THEN)]
    assert await shop.server_time() == THEN
    assert await shop.items.order(FindItem(1)) is None


async def test_optional_input_and_odd_names(shop: Shop) -> None:
    assert await shop.odd("x") == "x"
    assert await shop.odd(None) is None


async def test_declared_method_is_used_and_the_link_decides_otherwise(
    shop: Shop, seen: Seen
) -> None:
    await shop.items.find(FindItem(1))
    await shop.find_all()
    await shop.server_time()

    assert [(r.method, r.path) for r in seen.requests] == [
        ("GET", "/items/find"),
        ("GET", "/findAll"),
        ("POST", "/serverTime"),
    ]


async def test_declared_errors_are_caught_as_their_classes(shop: Shop) -> None:
    with pytest.raises(ItemNotFound) as missing:
        await shop.items.find(FindItem(7))
    with pytest.raises(OutOfStock) as sold_out:
        await shop.items.order(FindItem(3))
    with pytest.raises(NotSignedIn):
        await shop.items.order(FindItem(2))

    assert missing.value.data == FindItem(7)
    assert sold_out.value.data == Stock(left=2)
    assert sold_out.value.status == 409


async def test_stream_has_the_declared_values_and_ends_with_the_declared_error(shop: Shop) -> None:
    async with await shop.items.watch(FindItem(1)) as items:
        assert await anext(aiter(items)) == Item(1, THEN)
        with pytest.raises(OutOfStock) as sold_out:
            await anext(aiter(items))

    assert sold_out.value.data == Stock(left=0)


async def test_call_options_reach_the_server(shop: Shop, seen: Seen) -> None:
    await shop.server_time(headers={"x-a": "1"}, timeout=5, last_event_id="7")

    assert seen.requests[0].header("x-a") == "1"
    assert seen.requests[0].header("last-event-id") == "7"


async def test_missing_input_is_refused_before_anything_is_sent(shop: Shop, seen: Seen) -> None:
    call: Any = shop.items.find

    with pytest.raises(TypeError, match=r"Items\.find: its input is missing; expected .*FindItem"):
        await call()
    assert seen.requests == []


async def test_answer_that_breaks_the_contract_is_named() -> None:
    app = RPCHandler({"items": {"find": rpc.route(method="GET").handler(lambda: {"id": "one"})}})
    async with RPCLink("http://test", sender=AsgiSender(app)) as link:
        client = create_orpc_client(link, contract=Shop)
        with pytest.raises(RPCResponseError, match="items/find: not the output asked for"):
            await client.items.find(FindItem(1))


async def test_client_of_a_part_of_the_contract(seen: Seen) -> None:
    app = RPCHandler({"v1": {"items": rpc.router(ITEMS, contract=Items)}}, plugins=[seen])
    async with RPCLink("http://test", sender=AsgiSender(app)) as link:
        items = create_orpc_client(link, ["v1", "items"], contract=Items)
        assert await items.find(FindItem(1)) == Item(1, THEN)


async def test_input_that_breaks_the_contract_is_refused_by_the_server() -> None:
    app = RPCHandler(rpc.router(SHOP, contract=Shop))
    async with RPCLink("http://test", sender=AsgiSender(app)) as link:
        client = create_orpc_client(link)
        for call in (client.items.find({"id": "x"}), client.serverTime("unasked")):
            with pytest.raises(ORPCError) as caught:
                await call
            assert (caught.value.status, caught.value.message) == (400, "Input validation failed")


def broken(**changes: Any) -> Any:
    items = {**ITEMS, **changes}
    return {**SHOP, "items": {name: node for name, node in items.items() if node is not None}}


@pytest.mark.parametrize(
    ("router", "problem"),
    [
        (broken(find=None), r"router\.items: Items: find is missing$"),
        (broken(extra=find), r"router\.items: Items: 'extra' is not in the contract$"),
        (broken(find=None, fnd=find), r"find is missing, 'fnd' is not in the contract"),
        (broken(find=create), r"router\.items\.find: expected @rpc\.implement\(Items\.find\), "),
        (broken(find=rpc.handler(lambda: 1)), r"but it implements no contract"),
        (broken(find={}), r"router\.items\.find: expected a procedure, got dict"),
        ({**SHOP, "items": find}, r"router\.items: expected a mapping that implements Items"),
        ({}, r"router: Shop: items is missing, server_time is missing"),
    ],
)
def test_router_that_does_not_keep_the_contract_is_refused(router: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        rpc.router(router, contract=Shop)


async def test_parts_may_be_checked_apart_and_loaded_late() -> None:
    parts = {
        **SHOP,
        "items": lazy(lambda: rpc.router(ITEMS, contract=Items)),
        "odd": lazy(lambda: odd),
    }
    whole = {**SHOP, "items": rpc.router(ITEMS, contract=Items)}
    for router in (parts, whole):
        app = RPCHandler(rpc.router(router, contract=Shop))
        async with RPCLink("http://test", sender=AsgiSender(app)) as link:
            client = create_orpc_client(link, contract=Shop)
            assert await client.items.find(FindItem(1)) == Item(1, THEN)
            assert await client.odd("x") == "x"


async def test_contract_holds_without_a_wire_and_with_late_parts() -> None:
    late = {**SHOP, "items": lazy(lambda: rpc.router(ITEMS, contract=Items))}
    link = RouterLink(rpc.router(late, contract=Shop))
    shop = create_orpc_client(link, contract=Shop)

    assert await shop.items.find(FindItem(1)) == Item(1, THEN)
    assert await shop.find_all() == [Item(1, THEN)]
    with pytest.raises(OutOfStock) as caught:
        await shop.items.order(FindItem(3))
    assert caught.value.data == Stock(left=2)
    # The error itself, so its traceback leads to where it was raised.
    assert caught.traceback[-1].name == "order"


async def test_client_of_a_contract_is_not_copied(shop: Shop) -> None:
    assert copy.copy(shop) is shop
    assert copy.deepcopy({"shop": shop})["shop"] is shop
    assert (repr(shop), repr(shop.find_all)) == (
        "<client of Shop>",
        "<ProcedureCall Shop.find_all>",
    )


async def test_middlewares_of_a_builder_stand_before_implementations() -> None:
    async def sign_in(ctx: CallContext, input: Any, next: Any) -> Any:
        assert isinstance(input, Undefined) or input == {"name": "lamp"}
        return await next(context={"user": "ada"})

    signed_in = rpc.use(sign_in)

    class Own(Contract):
        who: Declared[None, str]
        make: Declared[NewItem, str]

    # A local class resolves its hints here: the types it names are of the module.
    @signed_in.implement(Own.who)
    async def who(ctx: CallContext) -> str:
        return str(ctx.context["user"])

    @signed_in.implement(Own.make)
    async def make(ctx: CallContext, input: NewItem) -> str:
        return input.name + str(ctx.context["user"])

    router = signed_in.router({"who": who, "make": make}, contract=Own)
    async with RPCLink("http://test", sender=AsgiSender(RPCHandler(router))) as link:
        client = create_orpc_client(link, contract=Own)
        assert await client.who() == "ada"
        assert await client.make(NewItem(name="lamp")) == "lampada"


def test_what_the_contract_says_is_not_said_again() -> None:
    for builder in (rpc.input(int), rpc.output(int), rpc.route(method="GET")):
        with pytest.raises(TypeError, match="come from the contract"):
            builder.implement(Items.find)
    what: Any = "find"
    with pytest.raises(TypeError, match=r"such as Planets\.find, got 'find'"):
        rpc.implement(what)


class Endless(Contract):
    again: Endless


@pytest.mark.parametrize(
    ("contract", "kind", "problem"),
    [
        (Endless, ValueError, "does it contain itself"),
        (int, TypeError, "expected a class made of Contract"),
        (object(), TypeError, "expected a class made of Contract"),
    ],
)
def test_unusable_contract_of_a_client_is_refused(
    contract: Any, kind: type[Exception], problem: str
) -> None:
    link: Any = RPCLink("http://test")
    with pytest.raises(kind, match=problem):
        create_orpc_client(link, contract=contract)
