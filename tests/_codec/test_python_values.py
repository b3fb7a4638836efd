"""What Python users pass, beside what JavaScript has."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pydantic
import pytest

from durable_execution._codec import (
    UNDEFINED,
    BigInt,
    Encoded,
    EncodeError,
    JsDate,
    JsMap,
    Limits,
    RegExp,
    Rule,
    TypedJson,
    Url,
    dumps,
    loads,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.25e-6, "0.00000125"),
        (1.25e-7, "1.25e-7"),
        (-0.00015, "-0.00015"),
        (-3.0, "-3"),
        (2.0**53, "9007199254740992"),
        (1.5e20, "150000000000000000000"),
        (-1.5e21, "-1.5e+21"),
    ],
)
def test_a_number_is_written_as_javascript_writes_it(number: float, text: str) -> None:
    assert dumps(number).decode() == f'{{"json":{text}}}'


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Shape(Enum):
    POINT = (1, 2)


class Pair(NamedTuple):
    left: int
    right: str


@dataclass
class Mail:
    to: str
    at: datetime | None = None


class Tagged(msgspec.Struct, tag="tagged", rename="camel"):
    first_name: str
    extra: int | msgspec.UnsetType = msgspec.UNSET


class Row(msgspec.Struct, array_like=True):
    a: int
    b: str


class Model(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId")
    at: datetime


MOMENT = datetime(2024, 2, 29, 12, 34, 56, 789_999, UTC)
ISO = "2024-02-29T12:34:56.789Z"


@pytest.mark.parametrize(
    ("value", "envelope"),
    [
        (Colour.RED, {"json": "red"}),
        (Level.HIGH, {"json": 3}),
        (Shape.POINT, {"json": [1, 2]}),
        ({Colour.RED: 1}, {"json": {"red": 1}}),
        (Pair(1, "x"), {"json": [1, "x"]}),
        ((1, UNDEFINED), {"json": [1, None], "meta": [[3, 1]]}),
        (Mail("a", MOMENT), {"json": {"to": "a", "at": ISO}, "meta": [[1, "at"]]}),
        (Tagged("x"), {"json": {"type": "tagged", "firstName": "x"}}),
        (Row(1, "x"), {"json": [1, "x"]}),
        (Model(userId=1, at=MOMENT), {"json": {"userId": 1, "at": ISO}, "meta": [[1, "at"]]}),
        ({1: "x", "1": 2}, {"json": [[1, "x"], ["1", 2]], "meta": [[7]]}),
        ({(1, 2): 3}, {"json": [[[1, 2], 3]], "meta": [[7]]}),
        (OrderedDict(b=1, a=2), {"json": {"b": 1, "a": 2}}),
        (frozenset([1]), {"json": [1], "meta": [[6]]}),
        (UUID(int=1), {"json": "00000000-0000-0000-0000-000000000001"}),
        (Decimal("1.50"), {"json": "1.50"}),
        (date(2024, 2, 29), {"json": "2024-02-29"}),
        (time(1, 2), {"json": "01:02:00"}),
        (timedelta(days=1, seconds=2), {"json": "P1DT2S"}),
        (PurePosixPath("/a/b"), {"json": "/a/b"}),
        (b"abc", {"json": "YWJj"}),
        (bytearray(b"abc"), {"json": "YWJj"}),
        (re.compile("a/(?P<n>b)", re.I), {"json": "/a\\/(?<n>b)/i", "meta": [[5]]}),
        (2**53, {"json": "9007199254740992", "meta": [[0]]}),
        (1 - 2**53, {"json": 1 - 2**53}),
        (BigInt(1), {"json": "1", "meta": [[0]]}),
        ({"a": msgspec.UNSET}, {"json": {}}),
    ],
)
def test_a_python_value_takes_its_nearest_form(value: Any, envelope: Any) -> None:
    assert json.loads(dumps(value)) == envelope


def test_a_date_is_cut_to_milliseconds_and_moved_to_utc() -> None:
    early = datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)
    east = timezone(timedelta(hours=5, minutes=30))
    assert loads(dumps(early)) == early.replace(microsecond=999_000)
    assert loads(dumps(datetime(2024, 1, 1, tzinfo=east))) == datetime(
        2023, 12, 31, 18, 30, 0, 0, UTC
    )


def test_a_date_that_leaves_the_calendar_in_utc_is_still_written() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert loads(dumps(first)) == JsDate(-62_135_596_800_000 - 3_600_000)


async def test_a_coroutine_is_to_be_awaited_first() -> None:
    async def forgotten() -> int:
        return 1

    coroutine = forgotten()
    with pytest.raises(EncodeError, match=r"coroutine cannot be encoded; await it first"):
        dumps(coroutine)
    assert await coroutine == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"items": [{"when": datetime(2024, 1, 1)}]}, "$.items[0].when: naive datetime"),  # noqa: DTZ001
        ({"a b": object()}, '$["a b"]: a value of type builtins.object cannot be encoded'),
        ([float("inf")], "$[0]: infinity"),
        ({"x": {"__proto__": 1}}, '$.x: the key "__proto__"'),
        ([10**4300], "$[0]: an integer of more than 4300 digits"),
        ([re.compile(b"x")], "$[0]: a bytes pattern"),
        ([Mail], "$[0]: a value of type builtins.type"),
        ({"p": Encoded(b"[")}, "$.p: Encoded holds no envelope"),
        ({"p": Encoded(b"[1]")}, "$.p: Encoded holds no envelope"),
        ({"p": Encoded(b'{"json":1,"meta":[null]}')}, "$.p: Encoded holds an envelope with"),
    ],
)
def test_a_value_without_a_form_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        dumps(value)
    assert str(caught.value).startswith(message)


def cycle_of_lists() -> Any:
    value: list[Any] = [1]
    value.append([value, value])
    return value


def cycle_of_maps() -> Any:
    value: JsMap[Any, Any] = JsMap()
    value["self"] = {"again": value}
    return value


def cycle_of_dataclasses() -> Any:
    mail = Mail("x")
    mail.at = mail  # type: ignore[assignment] # wrong on purpose
    return mail


@pytest.mark.parametrize("make", [cycle_of_lists, cycle_of_maps, cycle_of_dataclasses])
def test_a_cycle_is_refused(make: Any) -> None:
    with pytest.raises(EncodeError, match="contains itself"):
        dumps(make())


@pytest.mark.parametrize("innermost", [1, UNDEFINED])
def test_depth_is_bounded_alike_for_plain_and_other_values(innermost: Any) -> None:
    def nested(levels: int) -> Any:
        value = innermost
        for _ in range(levels):
            value = [value]
        return value

    codec = TypedJson(limits=Limits(max_depth=20))
    assert codec.dumps(codec.loads(codec.dumps(nested(20)))) == codec.dumps(nested(20))
    with pytest.raises(EncodeError, match="deeper than 20"):
        codec.dumps(nested(21))
    with pytest.raises(EncodeError, match="deeper"):
        dumps(nested(100_000))


def test_a_value_that_grows_by_sharing_is_refused_instead_of_written_for_ever() -> None:
    value: Any = [1.5]
    for _ in range(100):
        value = [value, value]
    with pytest.raises(EncodeError, match="more values than fit"):
        TypedJson(limits=Limits(max_bytes=10_000)).dumps(value)


def test_size_and_number_of_tags_are_bounded() -> None:
    codec = TypedJson(limits=Limits(max_bytes=100, max_meta_entries=3))
    with pytest.raises(EncodeError, match="103 bytes"):
        codec.dumps("x" * 92)
    with pytest.raises(EncodeError, match="more than 3 values that need a tag"):
        codec.dumps([UNDEFINED] * 4)


def test_an_encoded_undefined_is_undefined_where_it_stands() -> None:
    nothing = Encoded(b"{}")
    assert dumps(nothing) == b"{}"
    assert dumps({"a": nothing, "b": [nothing]}) == dumps({"b": [UNDEFINED]})


def test_an_encoded_part_keeps_its_text() -> None:
    part = Encoded(b'{"meta":[[1,"d"]],"json":{ "d" : "1970-01-01T00:00:00.000Z", "n": 1.0 }}')
    assert dumps([part]) == (
        b'{"json":[{ "d" : "1970-01-01T00:00:00.000Z", "n": 1.0 }],"meta":[[1,0,"d"]]}'
    )
    odd = Encoded(b'{"json":["\\ud800",1.0,1e400,-0]}')
    assert dumps([odd]) == b'{"json":[["\\ud800",1.0,1e400,-0]]}'
    assert dumps(["\ud800", part]).startswith(b'{"json":["\\ud800",{ "d" : ')


def test_a_value_that_is_encoded_as_a_whole_keeps_its_bounds_and_its_dialect() -> None:
    whole = Encoded(dumps({"at": datetime(1970, 1, 1, tzinfo=UTC)}))
    assert dumps(whole) == whole.payload
    assert b'"meta":[["date","at"]]' in TypedJson(dialect="v2").dumps(whole)
    with pytest.raises(EncodeError, match="at most 20 are allowed"):
        TypedJson(limits=Limits(max_bytes=20)).dumps(whole)


def test_a_rule_that_never_ends_is_refused() -> None:
    endless = Rule(tag=21, matches=lambda v: True, encode=lambda v: [v], decode=lambda v: v)
    with pytest.raises(EncodeError, match="deeper"):
        TypedJson(rules=[endless]).dumps(1)


def test_a_rule_is_not_allowed_to_encode_to_nothing() -> None:
    empty = Rule(tag=21, matches=callable, encode=lambda v: UNDEFINED, decode=lambda v: v)
    with pytest.raises(EncodeError, match=r"\$\.f: the rule with tag 21"):
        TypedJson(rules=[empty]).dumps({"f": print})


def test_own_text_types_keep_their_kind_as_values_and_keys() -> None:
    url = Url("https://example.com/")
    assert dumps({"u": url}) == b'{"json":{"u":"https://example.com/"},"meta":[[4,"u"]]}'
    assert dumps({url: RegExp("a", "ig")}) == (
        b'{"json":[["https://example.com/","/a/gi"]],"meta":[[4,0,0],[5,0,1],[7]]}'
    )
