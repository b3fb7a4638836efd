"""The oRPC error, its table and its JSON form."""

from __future__ import annotations

import copy
import pickle
from http import HTTPStatus
from typing import Any

import pytest

from durable_execution._codec import UNDEFINED, BigInt
from durable_execution.orpc._protocol import (
    KNOWN_CODES,
    ORPCError,
    error_for_status,
    is_defined_error,
)

ERROR = {"defined": False, "code": "NOT_FOUND", "status": 404, "message": "nope"}


@pytest.mark.parametrize("code", KNOWN_CODES)
def test_known_code_brings_status_and_message(code: str) -> None:
    error = ORPCError(code)

    assert (error.status, error.message) == KNOWN_CODES[code]
    assert error.data is UNDEFINED
    assert error.defined is False


def test_unknown_code_is_a_500_that_says_its_code() -> None:
    error = ORPCError("OUT_OF_STOCK")

    assert (error.status, error.message) == (500, "OUT_OF_STOCK")


def test_empty_message_becomes_the_default() -> None:
    assert ORPCError("NOT_FOUND", "").message == "Not Found"


@pytest.mark.parametrize("status", [200, 299, 302, 399])
def test_status_that_means_success_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match=f"status: {status} means success"):
        ORPCError("X", status=status)


@pytest.mark.parametrize(
    ("arguments", "options", "complaint"),
    [
        ((404,), {}, "code: expected str, got int"),
        (("X", {"id": 1}), {}, "message: expected str or None, got dict"),
        (("X",), {"status": "404"}, "status: expected int, got str"),
        (("X",), {"status": True}, "status: expected int, got bool"),
    ],
)
def test_argument_of_a_wrong_type_is_named(
    arguments: tuple[Any, ...], options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        ORPCError(*arguments, **options)


def test_empty_code_is_refused() -> None:
    with pytest.raises(ValueError, match="code: expected a non-empty text"):
        ORPCError("")


def test_http_status_becomes_a_plain_number() -> None:
    status = ORPCError("X", status=HTTPStatus.CONFLICT).status

    assert type(status) is int
    assert status == 409


def test_text_of_the_error_names_code_and_message() -> None:
    assert str(ORPCError("NOT_FOUND", "no such planet")) == "NOT_FOUND: no such planet"
    assert str(ORPCError("OUT_OF_STOCK")) == "OUT_OF_STOCK"


def test_repr_shows_the_facts_but_not_the_data() -> None:
    assert repr(ORPCError("X", "m")) == "ORPCError('X', 'm', status=500, defined=False)"
    assert repr(ORPCError("X", data={"card": 1})).endswith("defined=False, data=…)")


@pytest.mark.parametrize("clone", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copy_keeps_every_attribute(clone: Any) -> None:
    error = ORPCError("X", "m", status=409, data={"a": 1}, defined=True)

    twin = clone(error)

    assert type(twin) is ORPCError
    assert twin.to_json() == error.to_json()


def test_json_form_leaves_undefined_data_out_and_keeps_null() -> None:
    assert ORPCError("NOT_FOUND", "nope").to_json() == ERROR
    assert ORPCError("NOT_FOUND", "nope", data=None).to_json() == {**ERROR, "data": None}


@pytest.mark.parametrize("data", [UNDEFINED, None, {"id": 7}])
def test_json_form_reads_back_the_same(data: object) -> None:
    error = ORPCError("LIMIT", "slow", status=429, data=data, defined=True)

    again = ORPCError.from_json(error.to_json())

    assert again is not None
    assert again.to_json() == error.to_json()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "NOT_FOUND",
        {},
        {**ERROR, "stack": "x"},
        {**ERROR, "inferable": False},
        *({name: value for name, value in ERROR.items() if name != missing} for missing in ERROR),
        {**ERROR, "defined": 0},
        {**ERROR, "code": 404},
        {**ERROR, "message": None},
        {**ERROR, "status": "404"},
        {**ERROR, "status": True},
        {**ERROR, "status": BigInt(404)},
        {**ERROR, "status": 404.5},
        {**ERROR, "status": float("nan")},
        {**ERROR, "status": 200},
        {**ERROR, "status": 399},
    ],
    ids=repr,
)
def test_anything_but_the_exact_error_object_is_none(value: object) -> None:
    assert ORPCError.from_json(value) is None


def test_whole_number_written_as_float_is_a_status() -> None:
    error = ORPCError.from_json({**ERROR, "status": 404.0})

    assert error is not None
    assert type(error.status) is int


def test_status_of_a_bodyless_error_picks_the_first_code_of_the_table() -> None:
    error = error_for_status(503, headers={"retry-after": "1"}, body=UNDEFINED)

    assert (error.code, error.status) == ("SERVICE_UNAVAILABLE", 503)
    assert error.data == {"status": 503, "headers": {"retry-after": "1"}, "body": UNDEFINED}


def test_status_outside_the_table_is_a_malformed_response() -> None:
    error = error_for_status(418, headers={}, body=None)

    assert (error.code, error.status) == ("MALFORMED_ORPC_ERROR_RESPONSE", 418)


def test_only_declared_errors_are_defined() -> None:
    assert is_defined_error(ORPCError("X", defined=True))
    assert not is_defined_error(ORPCError("X"))
    assert not is_defined_error(ValueError("X"))
