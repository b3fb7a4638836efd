"""Hints: what fits, what does not, and what cannot be a hint."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution._codec import (
    UNDEFINED,
    BigInt,
    DecodeError,
    Issue,
    JsMap,
    JsSet,
    Schema,
    TypedJson,
    Url,
    ValidationFailed,
    dumps,
    loads,
)
from tests._codec.strategies import json_values


class Colour(Enum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict):
    size: int
    name: NotRequired[str]


@dataclass
class Mail:
    to: str
    copies: set[str] = field(default_factory=set)
    at: datetime | None = None


@dataclass
class Order:
    items: dict[str, int]


class Point(msgspec.Struct, rename="camel"):
    x_axis: int = 0
    y_axis: int | msgspec.UnsetType = msgspec.UNSET


class Model(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId")
    tags: set[str] = set()


@dataclass
class Holder:
    model: Model


MOMENT = datetime(2024, 2, 29, 12, 34, 56, 789_000, UTC)

FITTING: list[tuple[Any, Any]] = [
    (int, 3),
    (int, 2**70),
    (float, 3.5),
    (str, "x"),
    (bool, True),
    (None, None),
    (int | None, None),
    (int | str, "x"),
    (Literal["a", 1], "a"),
    (Colour, Colour.RED),
    (list[int], [1, 2]),
    (tuple[int, str], (1, "x")),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"x"})),
    (dict[str, float], {"a": 1.5}),
    (dict[int, str], {1: "x"}),
    (dict[tuple[int, int], str], {(1, 2): "x"}),
    (dict[UUID, int], {UUID(int=1): 1}),
    (Pair, Pair(1, "x")),
    (Options, {"size": 1}),
    (Mail, Mail("x", {"y"}, MOMENT)),
    (list[Mail], [Mail("x")]),
    (Point, Point(3)),
    (Point, Point(3, 4)),
    (UUID, UUID(int=7)),
    (Decimal, Decimal("1.50")),
    (datetime, MOMENT),
    (date, date(2024, 2, 29)),
    (timedelta, timedelta(days=1, milliseconds=5)),
    (bytes, b"abc"),
    (Path, Path("/a/b")),
    (Model, Model(userId=1, tags={"x"})),
    (list[Model | None], [Model(userId=1), None]),
    (Holder, Holder(Model(userId=1))),
    (Mail | Order, Order({"a": 1})),
    (str | datetime, MOMENT),
    (BigInt, BigInt(5)),
    (JsSet, JsSet([1])),
]


@pytest.mark.parametrize(("hint", "value"), FITTING, ids=[str(hint) for hint, _ in FITTING])
def test_a_typed_value_survives_the_wire(hint: Any, value: Any) -> None:
    schema: Schema[Any] = Schema(hint)
    converted = schema.convert(loads(dumps(value)))
    assert converted == value
    assert type(converted) is type(value)
    assert schema.load(dumps(value)) == value


@pytest.mark.parametrize(
    ("hint", "value", "converted"),
    [
        (int, 3.0, 3),
        (int, BigInt(3), 3),
        (float, 3, 3.0),
        (str, Url("https://example.com/"), "https://example.com/"),
        (list[int], JsSet([2, 1]), [2, 1]),
        (dict[str, int], JsMap({"a": 1}), {"a": 1}),
        (dict[int, str], {"1": "x"}, {1: "x"}),
        (Mail, {"to": "x", "at": UNDEFINED}, Mail("x")),
        (list[int | None], [1, UNDEFINED], [1, None]),
        (int | None, UNDEFINED, None),
        (dict[str, Any], {"a": JsSet([1]), "b": BigInt(2)}, {"a": JsSet([1]), "b": 2}),
    ],
)
def test_javascript_values_take_the_form_the_hint_asks_for(
    hint: Any, value: Any, converted: Any
) -> None:
    assert Schema[Any](hint).convert(value) == converted


@pytest.mark.parametrize("hint", [Any, object])
def test_a_hint_that_says_nothing_changes_nothing(hint: Any) -> None:
    value = {"a": [UNDEFINED, BigInt(1)], "b": 3.0}
    assert Schema[Any](hint).convert(value) is value
    assert Schema[Any]().load(b"{}") is UNDEFINED


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (Mail, {"to": 1}, "input.to: expected str, got int"),
        (Mail, {}, "input: object missing required field to"),
        (Mail, {"to": UNDEFINED}, "input: object missing required field to"),
        (list[Mail], [{"to": "x"}, {"to": None}], "input[1].to: expected str, got null"),
        (dict[str, Mail], {"k": {"to": 1}}, 'input["..."].to: expected str, got int'),
        (dict[int, str], {"k": "x"}, "input: key: expected int, got str"),
        (int, True, "input: expected int, got bool"),
        (int, 1.5, "input: expected int, got float"),
        (int, "1", "input: expected int, got str"),
        (int, UNDEFINED, "input: expected int, got undefined"),
        (bool, 1, "input: expected bool, got int"),
        (set[int], [[1]], "input[0]: expected int, got array"),
        (dict[Any, int], JsMap([({"a": 1}, 1)]), "input: unhashable type: 'dict'"),
        (JsSet, 1, "input: expected JsSet, got int"),
        (BigInt, "1", "input: expected BigInt, got str"),
        (BigInt, True, "input: expected BigInt, got bool"),
        (Url, "not absolute", "input: expected an absolute URL"),
        (Path, 1, "input: expected str, got int"),
        (Point, {"xAxis": "1"}, "input.xAxis: expected int, got str"),
        (list[Model], [{"userId": "x"}], "input[0].userId: input should be a valid integer"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(hint: Any, value: Any, message: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        Schema[Any](hint).convert(value, root="input")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (BigInt, 5, BigInt(5)),
        (list[Url], ["HTTP://a.example"], [Url("http://a.example/")]),
        (JsSet[int], [1, 2, 1], JsSet([1, 2])),
        (JsMap[str, int], {"a": 1}, JsMap([("a", 1)])),
    ],
)
def test_javascripts_types_are_made_of_plain_json(hint: Any, value: Any, expected: Any) -> None:
    made = Schema[Any](hint).load(dumps(value))

    assert made == expected
    assert type(made) is type(expected)


def test_issues_are_facts() -> None:
    with pytest.raises(ValidationFailed) as caught:
        Schema[Any](list[Mail]).load(b'{"json":[{"to":1}]}', root="input")
    assert caught.value.issues == (Issue((0, "to"), "expected str, got int"),)
    with pytest.raises(ValidationFailed) as several:
        Schema[Any](Model).convert({"userId": "x", "tags": 1})
    assert [issue.path for issue in several.value.issues] == [("userId",), ("tags",)]


@pytest.mark.parametrize(
    "hint", [complex, Callable[[int], int], list[TypedJson], type, dict[str, range]]
)
def test_a_hint_that_no_message_can_fill_is_refused_when_it_is_given(hint: Any) -> None:
    with pytest.raises(TypeError, match="cannot be made from a message; use"):
        Schema(hint)


def test_a_union_that_cannot_be_told_apart_is_refused_without_pydantic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(TypeError, match=r"tag=True.*install pydantic"):
        Schema(Mail | Order)


def test_pydantic_rules_in_annotations_are_kept() -> None:
    with pytest.raises(ValidationFailed, match="greater than 3"):
        Schema[int](Annotated[int, pydantic.Field(gt=3)]).load(b'{"json":3}')
    with pytest.raises(ValidationFailed, match=">= 3"):
        Schema[int](Annotated[int, msgspec.Meta(ge=3)]).load(b'{"json":2}')


def test_pydantic_is_not_imported_for_hints_without_it() -> None:
    program = (
        "import sys; from durable_execution._codec import Schema, dumps; "
        "from dataclasses import make_dataclass; "
        "Schema(make_dataclass('D', [('a', int)])).load(dumps({'a': 1})); "
        "sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("payload", [b"[", b"null", b'{"json":1,"meta":false}', b"[" * 100_000])
def test_a_payload_that_is_no_envelope_is_a_decode_error(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        Schema[Any](int).load(payload)


@pytest.mark.parametrize("payload", [b"{}", b"5", b'{"meta":[]}'])
def test_a_payload_without_a_value_is_undefined(payload: bytes) -> None:
    assert Schema[Any](int | None).load(payload) is None
    with pytest.raises(ValidationFailed, match="got undefined"):
        Schema[Any](int).load(payload)


def test_a_number_means_the_same_on_the_fast_way() -> None:
    beyond = b'{"json":[9007199254740993]}'
    assert Schema[Any](list[int]).load(beyond) == [2**53]
    assert Schema[Any](list[Any]).load(beyond) == [2**53]


HINTS = [
    int,
    float,
    str | None,
    Any,
    list[Any],
    list[int | str],
    set[int | None],
    dict[str, Any],
    dict[int, Any],
    dict[str, list[float]],
    tuple[int, str],
    Mail,
    list[Mail],
    Order,
    Options,
    Pair,
    Point,
    Decimal,
    datetime,
    bytes,
    UUID,
]
SCHEMAS: list[Schema[Any]] = [Schema(hint) for hint in HINTS]
near_misses = json_values | st.fixed_dictionaries(
    {"to": st.text(max_size=2)},
    optional={
        "copies": st.lists(st.text(max_size=2), max_size=2),
        "at": st.sampled_from([None, "2024-01-01T00:00:00Z", "x"]),
        "size": st.integers(-2, 2) | st.sampled_from([1.0, 2.5, 1e16, 2.0**70, -0.0]),
        "items": st.dictionaries(
            st.sampled_from(["a", "1", "-0"]), st.integers(-1, 1) | st.floats()
        ),
    },
)


@given(st.sampled_from(SCHEMAS), near_misses | st.lists(near_misses, max_size=2))
def test_the_fast_way_and_the_long_way_agree(schema: Schema[Any], value: Any) -> None:
    payload = json.dumps({"json": value}).replace("NaN", "1e400").replace("Infinity", "1E400")
    outcomes = []
    for way in (schema.load, lambda text: schema.convert(loads(text))):
        try:
            outcomes.append(way(payload.encode()))
        except ValidationFailed as failure:
            outcomes.append(str(failure))
    assert outcomes[0] == outcomes[1]


SURROGATES = ["\ud83d", "\ud83d\ude00", "\U0001f600", "\ufeff", "\x00"]


@given(
    st.sampled_from([*SCHEMAS, Schema(str), Schema(bool), Schema(None), Schema(object)]),
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.text()
    | st.sampled_from([*SURROGATES, 0.0, -0.0, 1.0, 2**53, UNDEFINED, BigInt(1), Colour.RED])
    | json_values,
)
def test_what_is_kept_is_read_back_as_it_is(schema: Schema[Any], value: Any) -> None:
    kept = schema.dumps_kept(value)
    if kept is not None:
        assert kept == dumps(value)
        read = schema.load(kept)
        assert (type(read), read) == (type(value), value)


def test_simple_values_of_their_very_type_are_kept() -> None:
    kept = [(int, 1), (str, "a"), (bool, True), (None, None), (Any, 1), (object, "a")]
    other = [(int, True), (int, 2**53), (float, 1), (str, "\xe9"), (list[int], []), (Any, [])]
    assert all(Schema[Any](hint).dumps_kept(value) == dumps(value) for hint, value in kept)
    assert not any(Schema[Any](hint).dumps_kept(value) for hint, value in other)


class _Closed(msgspec.Struct):
    name: str
    count: int | None = None


class _Open(_Closed):
    rest: Any = None


@pytest.mark.parametrize(
    "value",
    [
        {"name": "a"},
        {"name": "a", "count": 2},
        {"name": "a", "count": 2.0},
        {"name": "a", "count": UNDEFINED},
        {"name": Url("https://example.com"), "count": BigInt(7)},
        JsMap({"name": "a", "count": 1}),
        {"name": UNDEFINED},
        {"name": 1},
        {"name": "a", "count": True},
        [],
    ],
    ids=repr,
)
def test_hint_whose_values_need_no_copy_means_the_same_as_one_whose_do(value: Any) -> None:
    def told_by(hint: type[_Closed]) -> object:
        try:
            found = Schema(hint).convert(value)
        except ValidationFailed as failure:
            return [(issue.path, issue.message) for issue in failure.issues]
        return (found.name, type(found.name), found.count, type(found.count))

    assert told_by(_Closed) == told_by(_Open)
