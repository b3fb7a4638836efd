from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from durable_execution._codec import (
    UNDEFINED,
    BigInt,
    JsDate,
    JsMap,
    JsonSyntaxError,
    Limits,
    RegExp,
    Url,
    dumps,
    plain_json,
    read_plain_json,
)
from tests._codec.strategies import json_values

MOMENT = datetime(2024, 2, 29, 12, 34, 56, 789_000, UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UNDEFINED, "null"),
        (None, "null"),
        ({"a": [1, "x", True, 1.5]}, '{"a":[1,"x",true,1.5]}'),
        (MOMENT, '"2024-02-29T12:34:56.789Z"'),
        (JsDate(None), "null"),
        (math.nan, "null"),
        ([UNDEFINED], "[null]"),
        ({1, 2}, "[1,2]"),
        (Url("http://a/"), '"http://a/"'),
        (RegExp("a", "g"), '"/a/g"'),
        (BigInt(1), "1"),
        (2**80, str(2**80)),
        ({1: "a"}, '{"1":"a"}'),
        (JsMap([(1.5, 1), (True, 2), ("x", 3)]), '{"1.5":1,"true":2,"x":3}'),
        (JsMap([((1, 2), MOMENT)]), '[[[1,2],"2024-02-29T12:34:56.789Z"]]'),
        (
            {"big": -(2**64), "at": MOMENT, "set": {3}, "none": JsDate(None), "url": Url("a:b")},
            '{"big":-18446744073709551616,"at":"2024-02-29T12:34:56.789Z","set":[3],'
            '"none":null,"url":"a:b"}',
        ),
        (
            [2**70, RegExp("a"), math.nan, UNDEFINED, 1.5],
            '[1180591620717411303424,"/a/",null,null,1.5]',
        ),
    ],
)
def test_value_takes_its_plain_form(value: Any, expected: str) -> None:
    assert plain_json(dumps(value)).decode() == expected


@given(json_values)
def test_plain_values_stay_what_they_are(value: Any) -> None:
    payload = dumps(value)
    assert json.loads(plain_json(payload)) == json.loads(payload).get("json")


@pytest.mark.parametrize("text", ["1e3", "[1,2]", str(2**80), "-0.0", '"\\ud800"', "null"])
def test_text_is_read_as_json_has_it(text: str) -> None:
    read = read_plain_json(text.encode())

    assert read == json.loads(text)
    assert type(read) is type(json.loads(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"NaN", "NaN is not a JSON number"),
        (b"[Infinity]", "Infinity is not a JSON number"),
        (b'"\xff"', "not JSON: .*utf-8"),
        (b"9" * 5000, "not JSON: .*digits"),
        (b"[" * 300, "nested deeper than 256 levels"),
        (b"[" * 100_000, "nested deeper than 256 levels"),
    ],
)
def test_what_is_not_json_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(JsonSyntaxError, match=message):
        read_plain_json(text)


def test_size_is_bounded() -> None:
    with pytest.raises(JsonSyntaxError, match="at most 3 are accepted"):
        read_plain_json(b"[12]", Limits(max_bytes=3))
