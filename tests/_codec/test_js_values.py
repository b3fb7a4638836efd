"""The JavaScript values as Python objects."""

from __future__ import annotations

import copy
import math
import pickle
import re
from typing import Any

import pytest

from durable_execution._codec import (
    UNDEFINED,
    BigInt,
    JsDate,
    JsMap,
    JsSet,
    Limits,
    RegExp,
    Rule,
    Undefined,
    dumps,
    loads,
)


def test_undefined_is_one_falsy_value() -> None:
    assert Undefined() is UNDEFINED
    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"
    assert copy.deepcopy([UNDEFINED])[0] is UNDEFINED
    assert copy.copy(UNDEFINED) is UNDEFINED
    assert pickle.loads(pickle.dumps(UNDEFINED)) is UNDEFINED


def test_a_set_keeps_apart_what_javascript_keeps_apart() -> None:
    elements = [1, True, "1", BigInt(1), None, UNDEFINED, 0, False, ""]
    assert list(JsSet(elements)) == elements


def test_numbers_are_one_kind_in_a_set() -> None:
    assert list(JsSet([1, 1.0, 0, -0.0, math.nan, float("nan")])) == [1, 0, math.nan]
    assert float("nan") in JsSet([math.nan])
    assert 1.0 in JsSet([1])
    assert True not in JsSet([1])
    assert 2**60 in JsSet([BigInt(2**60)])


def test_objects_are_elements_by_identity() -> None:
    first: list[Any] = []
    elements = JsSet([first, [], first])
    assert len(elements) == 2
    assert first in elements
    assert [] not in elements
    elements.discard([])
    elements.remove(first)
    assert list(elements) == [[]]


def test_a_map_keeps_the_place_of_a_key_and_the_last_value() -> None:
    key = {"k": 1}
    pairs: JsMap[Any, Any] = JsMap([(1, "a"), (key, "b")])
    pairs[1.0] = "c"
    assert list(pairs.items()) == [(1, "c"), (key, "b")]
    assert pairs[key] == "b"
    del pairs[1]
    assert list(pairs) == [key]
    for missing in (1, {"k": 1}):
        with pytest.raises(KeyError, match=re.escape(repr(missing))):
            pairs[missing]
        with pytest.raises(KeyError, match=re.escape(repr(missing))):
            del pairs[missing]


def test_maps_and_sets_compare_and_print_by_what_they_hold() -> None:
    assert JsMap([([1], JsSet([math.nan]))]) == JsMap([([1], JsSet([math.nan]))])
    assert JsMap({"a": 1}) != JsMap({"a": True})
    assert JsSet([1, 2]) != JsSet([2, 1])
    assert JsSet([1]) != {1}
    assert repr(JsMap({"a": JsSet([1])})) == "JsMap([('a', JsSet([1]))])"
    with pytest.raises(TypeError, match="unhashable"):
        hash(JsSet())


def test_a_pattern_is_kept_as_javascript_shows_it() -> None:
    assert str(RegExp("a/[/]\n\\\n", "yg")) == "/a\\/[/]\\n\\n/gy"
    assert str(RegExp("")) == "/(?:)/"
    for flags in ("x", "gg", "uv"):
        with pytest.raises(ValueError, match=r"RegExp\.flags"):
            RegExp("a", flags)


def test_a_pattern_is_compiled_only_on_request() -> None:
    assert loads(dumps(RegExp("("))) == RegExp("(")
    with pytest.raises(ValueError, match="RegExp: "):
        RegExp("(").compile()
    with pytest.raises(ValueError, match="v flag"):
        RegExp("a", "v").compile()
    found = RegExp("(?<!x)(?<year>[0-9]+)\\/", "gi").compile().search("in 2024/")
    assert found is not None
    assert found["year"] == "2024"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTPS://User:Pw@EXAMPLE.com:443?q", "https://User:Pw@example.com/?q"),
        ("http:example.com:8080/A", "http://example.com:8080/A"),
        ("http://[::1]/", "http://[::1]/"),
        (" mailto:x@y ", "mailto:x@y"),
        ("file:///etc", "file:///etc"),
    ],
)
def test_a_url_is_normalised(text: str, url: str) -> None:
    assert loads(dumps(text)[:-1] + b',"meta":[[4]]}') == url


@pytest.mark.parametrize("text", ["", "a/b", "//x", "http://", "http://a b/", "http://x:99999/"])
def test_what_is_no_absolute_url_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="type 4: expected"):
        loads(dumps(text)[:-1] + b',"meta":[[4]]}')


def test_misused_definitions_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"Limits\.max_depth: expected a positive int, got 0"):
        Limits(max_depth=0)
    with pytest.raises(TypeError, match=r"Rule\.tag"):
        Rule(tag=True, matches=callable, encode=str, decode=str)
    with pytest.raises(ValueError, match=r"JsDate\.epoch_ms"):
        JsDate(8_640_000_000_000_001)
