"""Contracts: what their hints say, and which mistakes they name."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from durable_execution.orpc import Contract, Declared, DefinedError, ORPCError, declared
from durable_execution.orpc._contract import members_of
from tests.orpc._contract.shop import (
    FindItem,
    Item,
    ItemNotFound,
    Items,
    NotSignedIn,
    OutOfStock,
    Shop,
)

if TYPE_CHECKING:
    from decimal import Decimal


def test_hints_become_members_with_their_names_on_the_wire() -> None:
    members = members_of(Shop)

    assert [(m.attribute, m.name) for m in members.values()] == [
        ("items", "items"),
        ("server_time", "serverTime"),
        ("find_all", "findAll"),
        ("odd", "odd name/é"),
    ]
    assert members["items"].node is Items
    assert members["server_time"].node is Shop.server_time


def test_declared_procedure_knows_its_types_errors_and_method() -> None:
    assert (Items.find.input, Items.find.output) == (FindItem, Item)
    assert (Items.find.method, Items.find.errors) == ("GET", (ItemNotFound,))
    assert (Items.create.method, Items.create.errors) == (None, ())
    assert Items.order.errors == (OutOfStock, NotSignedIn)
    assert Items.order.output is None
    assert Items.watch.output == AsyncIterator[Item]
    assert repr(Items.create) == "<Declared Items.create>"


def test_declared_procedure_is_one_object() -> None:
    assert Items.create is Items.create
    assert Items.find is Items.find


class Base(Contract):
    ping: Declared[None, str]
    pong: Declared[None, str]


class Extended(Base, rename="camel"):
    pong: Declared[None, int]
    much_more: Declared[None, str]


def test_contract_inherits_and_overrides() -> None:
    members = members_of(Extended)

    assert list(members) == ["ping", "pong", "much_more"]
    assert Extended.ping is Base.ping
    assert (Extended.pong.output, Base.pong.output) == (int, str)
    assert members["much_more"].name == "muchMore"


class Unresolved(Contract):
    price: Declared[None, Decimal]


class NoHint(Contract):
    ping = declared()


class BareHint(Contract):
    ping: Declared  # type: ignore[type-arg]


class OtherHint(Contract):
    ping: int


class Twice(Contract, rename="camel"):
    find_all: Declared[None, str]
    findAll: Declared[None, str]  # noqa: N815 - the same name on the wire


@pytest.mark.parametrize(
    ("contract", "kind", "problem"),
    [
        (Unresolved, TypeError, r"Unresolved: a hint cannot be resolved \(.*Decimal.*module level"),
        (NoHint, TypeError, r"NoHint\.ping: expected a hint: ping: Declared\[Input, Output\] ="),
        (BareHint, TypeError, r"BareHint\.ping: expected a hint Declared\[Input, Output\] or a"),
        (OtherHint, TypeError, r"OtherHint\.ping: expected a hint .* got <class 'int'>"),
        (Twice, ValueError, r"Twice: find_all and findAll are both named 'findAll'"),
    ],
)
def test_mistake_in_a_contract_is_named(
    contract: type[Contract], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind, match=problem):
        members_of(contract)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="contract Items has no 'fnd'"):
        _ = Items.fnd  # type: ignore[attr-defined]
    assert not hasattr(Contract, "find")
    assert not hasattr(Items, "_private")
    assert copy.copy(Items) is Items


def test_contract_is_not_made_by_calling_it() -> None:
    with pytest.raises(TypeError, match=r"create_orpc_client\(link, contract=Items\)"):
        Items()


def test_unknown_rename_is_refused() -> None:
    rename: Any = "kebab"

    with pytest.raises(ValueError, match="rename: expected 'camel' or None"):

        class Odd(Contract, rename=rename):
            pass


class Same(DefinedError[None], code="UNAUTHORIZED"):
    pass


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({"errors": [ORPCError]}, TypeError, "expected classes made of DefinedError"),
        ({"errors": [DefinedError]}, TypeError, "expected classes made of DefinedError"),
        ({"errors": [NotSignedIn()]}, TypeError, "expected classes made of DefinedError"),
        ({"errors": [NotSignedIn, Same]}, ValueError, "two have the code 'UNAUTHORIZED'"),
        ({"method": "FETCH"}, ValueError, "method: expected one of .* got 'FETCH'"),
    ],
)
def test_unusable_option_is_refused_where_it_is_written(
    options: dict[str, Any], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind, match=problem):
        declared(**options)
