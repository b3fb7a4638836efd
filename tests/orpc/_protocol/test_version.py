"""What the dialects say of errors and statuses."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import UNDEFINED, ORPCError
from durable_execution.orpc._protocol import Version, version_of
from tests.vectors.notation import load_vectors

V1, V2 = version_of("v1"), version_of("v2")

CODES_V1 = load_vectors("error_codes_v1.json")
CODES_V2 = load_vectors("error_codes_v2_beta.json")


@pytest.mark.parametrize("vector", CODES_V1, ids=lambda vector: vector["code"])
def test_code_of_version_1_is_the_recorded_one(vector: dict[str, Any]) -> None:
    error = ORPCError(vector["code"])
    assert V1.status_of(error) == error.status == vector["status"]
    assert V1.error_to_json(error)["message"] == vector["message"]
    assert V1.error_to_json(error)["status"] == vector["status"]


@pytest.mark.parametrize("vector", CODES_V2, ids=lambda vector: vector["code"])
def test_code_of_version_2_is_the_recorded_one(vector: dict[str, Any]) -> None:
    error = ORPCError(vector["code"])
    assert V2.status_of(error) == vector["status"]
    json = V2.error_to_json(error)
    assert json == {
        "defined": False,
        "inferable": False,
        "code": vector["code"],
        "message": vector["message"],
    }
    read = V2.error_from_json(json)
    assert read is not None
    assert (read.status, read.message) == (vector["status"], vector["message"])


def test_own_code_has_no_status_in_version_2() -> None:
    error = ORPCError("SOLD_OUT", status=409)
    assert (V1.status_of(error), V2.status_of(error)) == (409, 500)
    assert V2.error_to_json(error)["message"] == "Sold Out"
    assert V2.error_to_json(ORPCError("SOLD_OUT", "None left"))["message"] == "None left"


@pytest.mark.parametrize("version", [V1, V2], ids=["v1", "v2"])
def test_error_reads_back_the_same(version: Version) -> None:
    error = ORPCError("NOT_FOUND", "No such item", data={"id": 7}, defined=True)
    read = version.error_from_json(version.error_to_json(error))
    assert read is not None
    assert (read.code, read.status, read.message) == ("NOT_FOUND", 404, "No such item")
    assert (read.data, read.defined) == ({"id": 7}, True)


GOOD: dict[str, Any] = {"defined": False, "inferable": True, "code": "X", "message": "m"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {**GOOD, "status": 400},
        {key: item for key, item in GOOD.items() if key != "inferable"},
        {**GOOD, "inferable": 1},
        {**GOOD, "defined": None},
        {**GOOD, "code": 5},
        {**GOOD, "code": ""},
        {**GOOD, "message": None},
    ],
)
def test_anything_but_the_exact_error_object_of_version_2_is_none(value: object) -> None:
    assert V2.error_from_json(value) is None


def test_error_object_of_version_2_without_data_has_none() -> None:
    read = V2.error_from_json({**GOOD, "message": ""})
    assert read is not None
    assert (read.data, read.message, read.status) == (UNDEFINED, "X", 500)


@pytest.mark.parametrize(
    ("status", "in_v1", "in_v2"),
    [(100, True, False), (200, False, False), (302, False, False), (399, False, False)]
    + [(status, True, True) for status in (400, 404, 500, 600)],
)
def test_status_is_an_error_or_not(status: int, in_v1: bool, in_v2: bool) -> None:
    assert (V1.is_error(status), V2.is_error(status)) == (in_v1, in_v2)


def test_there_are_two_dialects() -> None:
    with pytest.raises(ValueError, match="expected one of v1, v2, got 'v3'"):
        version_of("v3")  # type: ignore[arg-type] # that is the point
