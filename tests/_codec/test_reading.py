"""Reading what a stranger sent: bounds, and the forms JSON and JavaScript allow."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution._codec import (
    UNDEFINED,
    DecodeError,
    JsonSyntaxError,
    Limits,
    RejectedEnvelope,
    Rule,
    TypedJson,
    loads,
)


@pytest.mark.parametrize("levels", [257, 10_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_deep_text_is_refused_whether_it_ends_or_not(
    levels: int, opening: bytes, closing: bytes
) -> None:
    text = b'{"json":' + opening * levels
    with pytest.raises(JsonSyntaxError, match="deeper than 256"):
        loads(text)
    with pytest.raises(JsonSyntaxError, match="deeper than 256"):
        loads(text + b"1" + closing * levels + b"}")


@pytest.mark.parametrize("text", ["[[[[[[", r"\\", r"\"[[[[[[", r"\\\"{{{{{{", "]]]]]]"])
def test_brackets_in_strings_do_not_count(text: str) -> None:
    codec = TypedJson(limits=Limits(max_depth=3))
    assert codec.loads(f'{{"json":["{text}",["[[[[[[",["{text}"]]]}}')[1][0] == "[[[[[["


def test_brackets_in_strings_do_not_hide_depth() -> None:
    with pytest.raises(JsonSyntaxError, match="deeper than 3"):
        TypedJson(limits=Limits(max_depth=3)).loads(r'{"json":["]]",["]\"]]",["]}",[1]]]]}')


def test_size_is_checked_before_the_text_is_read() -> None:
    codec = TypedJson(limits=Limits(max_bytes=20))
    for text in (b"[" * 21, "[" * 21, "é" * 11):
        with pytest.raises(JsonSyntaxError, match="at most 20 are accepted"):
            codec.loads(text)


def test_the_number_of_tags_is_bounded() -> None:
    codec = TypedJson(limits=Limits(max_meta_entries=2))
    with pytest.raises(RejectedEnvelope, match="3 entries; at most 2"):
        codec.loads(b'{"json":1,"meta":[[99],[99],[99]]}')


def test_the_digits_of_a_bigint_are_bounded() -> None:
    text = '{"json":"-%s","meta":[[0]]}'
    assert loads(text % ("9" * 4300)) == 1 - 10**4300
    with pytest.raises(RejectedEnvelope, match="at most 4300 digits"):
        loads(text % ("9" * 4301))
    with pytest.raises(DecodeError):
        TypedJson(limits=Limits(max_bigint_digits=9000)).loads(text % ("9" * 4301))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'\xef\xbb\xbf{"json":1}', 1),
        (b'{"json":1e400}', math.inf),
        (b'{"json":-1e400}', -math.inf),
        (b'{"json":' + b"9" * 5000 + b"}", math.inf),
        (b'{"json":"\xff"}', "\ufffd"),
        (b'{"json":"x-0","n":-0}', "x-0"),
    ],
)
def test_unusual_text_that_javascript_accepts_is_accepted(text: bytes, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize(
    "text",
    [b"", b"nul", b"{'a':1}", b'{"json":01}', b'{"json":"\n"}', b'{"json":-Infinity}', b"{}x"],
)
def test_what_is_not_json_is_a_syntax_error(text: bytes) -> None:
    with pytest.raises(JsonSyntaxError, match="not JSON"):
        loads(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"json":{"a":[1]},"meta":[[1,"a",0]]}', "$.a[0]: type 1: expected a string"),
        (b'{"json":{"a":1},"meta":[[1,"b"]]}', "$.b: 'b' does not exist"),
        (b'{"json":1,"meta":[[1,{}]]}', "$"),
    ],
)
def test_a_rejection_names_the_place(text: bytes, message: str) -> None:
    with pytest.raises(RejectedEnvelope) as caught:
        loads(text)
    assert str(caught.value).startswith(message)


def test_a_rule_that_fails_rejects_the_message() -> None:
    rule = Rule(tag=20, matches=callable, encode=str, decode=lambda json: json["name"])
    with pytest.raises(RejectedEnvelope, match=r"\$\.p: type 20"):
        TypedJson(rules=[rule]).loads(b'{"json":{"p":{}},"meta":[[20,"p"]]}')


def read_date(text: str) -> Any:
    return loads(f'{{"json":"{text}","meta":[[1]]}}')


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-30T00:00:00Z", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-01-01T00:00:00", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-01-01T00:00:00-01:00", datetime(2024, 1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_is_read_leniently(text: str, moment: datetime) -> None:
    assert read_date(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "-000000-01-01T00:00:00Z",
        "2024-01-01T00:00+24:00",
        "2024-01-01T00:60Z",
        "2024-01-01T24:01Z",
        "2024-01-01T25:00Z",
        "2024-01-32",
        "2024-13-01",
        "2024-W01-1T00:00:00.000Z",
        "x" * 100_000,
    ],
)
def test_what_is_no_date_is_an_invalid_date(text: str) -> None:
    assert str(read_date(text)) == "Invalid Date"


def test_both_steps_can_be_taken_apart() -> None:
    codec = TypedJson()
    assert codec.serialize({"a": [UNDEFINED]}) == ({"a": [None]}, [[3, "a", 0]])
    assert codec.deserialize({"a": [None]}, [[3, "a", 0]]) == {"a": [UNDEFINED]}
    assert codec.serialize(UNDEFINED) == (UNDEFINED, [])
    assert codec.deserialize(UNDEFINED, None) is UNDEFINED
