"""Errors as classes: what they take, what they become on the wire, and what becomes one of them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from durable_execution.orpc import UNDEFINED, DefinedError, ORPCError
from durable_execution.orpc._protocol import narrowed


@dataclass
class Stock:
    left: int


class OutOfStock(DefinedError[Stock], code="OUT_OF_STOCK", status=409, message="Sold out"):
    pass


class NotSignedIn(DefinedError[None], code="UNAUTHORIZED"):
    pass


def test_class_brings_code_status_and_message() -> None:
    error = OutOfStock(Stock(2))

    assert isinstance(error, ORPCError)
    assert (error.code, error.status, error.message) == ("OUT_OF_STOCK", 409, "Sold out")
    assert (error.data, error.defined) == (Stock(2), True)
    assert OutOfStock(Stock(2), "Gone").message == "Gone"


def test_status_and_message_come_from_the_table_of_codes() -> None:
    assert (NotSignedIn().status, NotSignedIn().message) == (401, "Unauthorized")


def test_error_without_data_has_none_and_sends_none() -> None:
    assert NotSignedIn().data is None
    assert NotSignedIn(None, "Who?").to_json() == {
        "defined": True,
        "code": "UNAUTHORIZED",
        "status": 401,
        "message": "Who?",
    }


def test_missing_data_is_refused_where_it_is_raised() -> None:
    make: Any = OutOfStock

    with pytest.raises(TypeError, match=r"OutOfStock: data is missing; expected .*Stock"):
        make()


def test_data_that_may_be_none_is_sent() -> None:
    class Perhaps(DefinedError[Stock | None]):
        pass

    assert Perhaps(None).to_json()["data"] is None


@pytest.mark.parametrize(
    ("name", "code"),
    [("OutOfStock", "OUT_OF_STOCK"), ("HTTPFailed", "HTTP_FAILED"), ("Error2", "ERROR2")],
)
def test_code_comes_from_the_name_of_the_class(name: str, code: str) -> None:
    made: Any = type(name, (NotSignedIn,), {})

    assert made.declared_code == code


def test_generic_base_passes_its_data_on() -> None:
    class ShopError(OutOfStock, code="SHOP", status=418):
        pass

    assert ShopError(Stock(1)).to_json()["data"] == Stock(1)
    assert ShopError.declared_status == 418


def test_class_that_does_not_say_what_its_data_is_is_refused() -> None:
    data = TypeVar("data")

    with pytest.raises(TypeError, match=r"DefinedError\[Data\] as a base"):
        type("Bare", (DefinedError,), {})
    with pytest.raises(TypeError, match=r"DefinedError\[Data\] as a base"):

        class Open(DefinedError[data]):  # type: ignore[valid-type]
            pass


def test_class_with_an_impossible_status_is_refused() -> None:
    with pytest.raises(ValueError, match="200 means success"):

        class Fine(DefinedError[None], status=200):
            pass


def test_base_itself_is_no_error_to_raise() -> None:
    make: Any = DefinedError

    with pytest.raises(TypeError, match="make a class of it"):
        make(1)


@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copy_is_the_same_error(again: Any) -> None:
    error = OutOfStock(Stock(2), "Gone")
    error.defined = False
    found = again(error)

    assert type(found) is OutOfStock
    assert found.to_json() == error.to_json()


def from_wire(**changes: Any) -> ORPCError:
    facts: dict[str, Any] = {"status": 409, "data": {"left": 2}, "defined": True, **changes}
    return ORPCError("OUT_OF_STOCK", "Sold out", **facts)


def test_error_of_the_wire_becomes_the_class_that_declares_it() -> None:
    error = narrowed(from_wire(), [NotSignedIn, OutOfStock])

    assert type(error) is OutOfStock
    assert (error.data, error.message, error.defined) == (Stock(2), "Sold out", True)


@pytest.mark.parametrize(
    "error",
    [from_wire(defined=False), from_wire(status=410), ORPCError("OTHER", status=409, defined=True)],
    ids=["not-defined", "other-status", "other-code"],
)
def test_error_that_is_not_the_declared_one_stays_what_it_is(error: ORPCError) -> None:
    assert narrowed(error, [OutOfStock]) is error


@pytest.mark.parametrize("data", [{"left": "two"}, UNDEFINED])
def test_error_whose_data_does_not_fit_keeps_it_and_says_why(data: Any) -> None:
    error = from_wire(data=data)

    assert narrowed(error, [OutOfStock]) is error
    assert error.data is data
    assert error.__notes__[0].startswith("not raised as OutOfStock: data")
