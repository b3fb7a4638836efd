from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from durable_execution._codec import UNDEFINED, BigInt, JsMap, JsSet, RegExp, Url, dumps
from durable_execution.dashboard.values import MAX_PARTS, MAX_TEXT, Shown, shown, shown_payload
from tests._codec.strategies import values

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "null", "null"),
        (True, "truth", "true"),
        (7, "number", "7"),
        (0.5, "number", "0.5"),
        (float("nan"), "number", "NaN"),
        (BigInt(7), "bigint", "7"),
        (2**70, "bigint", str(2**70)),
        (NOON, "date", "2026-01-31T12:00:00.000Z"),
        (Url("https://example.com/"), "url", "https://example.com/"),
        (RegExp("a+", "g"), "regexp", "/a+/g"),
        (UNDEFINED, "undefined", "undefined"),
        ("2026-01-31T12:00:00.000Z", "text", "2026-01-31T12:00:00.000Z"),
    ],
)
def test_single_values_are_shown_with_their_type(value: object, kind: str, text: str) -> None:
    assert shown(value) == Shown(kind, text)  # type: ignore[arg-type]


def test_parts_carry_their_keys_and_places() -> None:
    drawn = shown({"tags": JsSet(["a"]), "by": JsMap([(1, [True])])})

    assert drawn.kind == "object"
    assert [(part.kind, part.label, part.size) for part in drawn.parts] == [
        ("set", "tags", 1),
        ("map", "by", 1),
    ]
    assert drawn.parts[1].parts[0].label == "1"
    assert drawn.parts[1].parts[0].parts[0] == Shown("truth", "true", "0")


def test_no_payload_is_no_value_and_null_is_one() -> None:
    assert shown_payload(None) is None
    assert shown_payload(b"") is None
    assert shown_payload(dumps(None)) == Shown("null", "null")


def test_a_payload_that_cannot_be_read_says_so() -> None:
    drawn = shown_payload(b'{"json": ')

    assert drawn is not None
    assert drawn.kind == "unreadable"


def test_what_is_left_out_is_counted() -> None:
    many = shown(list(range(MAX_PARTS * 2)))
    assert len(many.parts) == MAX_PARTS
    assert many.parts[-1] == Shown("cut", f"{MAX_PARTS + 1} more")

    assert shown("x" * (MAX_TEXT + 1)).text.endswith("… (4,001 characters in all)")
    assert len(shown({"k" * 10_000: 1}).parts[0].label or "") < 300


def test_depth_is_bounded() -> None:
    deep: Any = []
    for _ in range(60):
        deep = [deep]

    drawn = shown(deep)
    levels = 0
    while drawn.parts:
        drawn, levels = drawn.parts[0], levels + 1

    assert drawn.kind == "cut"
    assert levels < 30


@given(values)
def test_every_value_can_be_shown_within_bounds(value: object) -> None:
    def parts_of(drawn: Shown) -> int:
        return 1 + sum(map(parts_of, drawn.parts))

    drawn = shown_payload(dumps(value))
    assert drawn is None or parts_of(drawn) <= 2 * MAX_PARTS
