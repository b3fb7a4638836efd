"""Values that leave a placeholder in the JSON, and come back to where it was."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution._codec import (
    UNDEFINED,
    Blob,
    EncodeError,
    JsSet,
    RejectedEnvelope,
    Schema,
    TypedJson,
    ValidationFailed,
    dumps,
    loads,
)

CODEC = TypedJson()


class Picture(Blob):
    __slots__ = ()


class Uploaded:
    """As a web framework gives it."""

    filename = "a.txt"
    content_type = "text/plain"
    file = None


ONE, TWO = Picture(), Uploaded()


def test_files_are_set_aside_in_the_order_in_which_they_are_met() -> None:
    text, files = CODEC.dumps_with_files({"a": [TWO, {"b": ONE}], "s": {1: ONE}})
    assert text == (
        b'{"json":{"a":[{},{"b":{}}],"s":[[1,{}]]},"meta":[[7,"s"]],'
        b'"maps":[["a",0],["a",1,"b"],["s",0,1]]}'
    )
    assert files == [TWO, ONE, ONE]


def test_a_value_without_files_is_what_it_always_is() -> None:
    assert CODEC.dumps_with_files({"a": 1}) == (dumps({"a": 1}), [])
    assert CODEC.dumps_with_files(UNDEFINED) == (b"{}", [])
    assert TypedJson(dialect="v2").dumps_with_files(UNDEFINED) == (b"", [])


@pytest.mark.parametrize("value", [ONE, [ONE], {"a": {"b": TWO}}])
def test_a_file_anywhere_else_is_refused_where_it_stands(value: Any) -> None:
    with pytest.raises(EncodeError, match="a file can only be part of the input or the output"):
        dumps(value)


def test_a_class_is_no_upload() -> None:
    with pytest.raises(EncodeError, match="cannot be encoded"):
        dumps(Uploaded)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"json":{},"maps":[[]]}', ONE),
        ('{"json":"any placeholder","maps":[[]]}', ONE),
        ('{"json":{"a":[null,1]},"maps":[["a",0],["a","1"]]}', {"a": [ONE, TWO]}),
        ('{"json":1}', 1),
        ('{"json":1,"maps":null}', 1),
        ('{"json":1,"maps":[]}', 1),
        ("{}", UNDEFINED),
        ("[1]", UNDEFINED),
        ('"text"', UNDEFINED),
    ],
)
def test_files_are_put_where_maps_says(text: str, value: Any) -> None:
    assert CODEC.loads_with_files(text, {"0": ONE, "1": TWO, "7": ONE}) == value


def test_files_are_put_in_place_before_the_tags_count() -> None:
    text = '{"json":[{}],"meta":[[6]],"maps":[[0]]}'
    found = CODEC.loads_with_files(text, {"0": ONE})
    assert isinstance(found, JsSet)
    assert list(found) == [ONE]


@pytest.mark.parametrize(
    "text",
    [
        "null",
        '{"json":{},"maps":{}}',
        '{"json":{},"maps":"[]"}',
        '{"json":{},"maps":[0]}',
        '{"json":{},"maps":[null]}',
        '{"json":{},"maps":[["a"]]}',
        '{"json":{},"maps":[["__class__"]]}',
        '{"json":[],"maps":[[-1]]}',
        '{"json":[],"maps":[["length"]]}',
        '{"maps":[["a"]]}',
        '{"json":{},"maps":[[],[],[]]}',
        '{"json":{},"maps":[[],["name"]]}',
        '{"json":{"a":{}},"maps":[[' + '"a",' * 300 + '"a"]]}',
    ],
)
def test_maps_that_lead_nowhere_are_refused(text: str) -> None:
    with pytest.raises(RejectedEnvelope):
        CODEC.loads_with_files(text, {"0": ONE, "1": TWO})


def test_maps_mean_nothing_in_a_message_without_parts() -> None:
    assert loads('{"json":{},"maps":[[]]}') == {}


def test_a_hint_takes_instances_only() -> None:
    assert Schema(Picture).convert(ONE) is ONE
    assert Schema(list[Picture] | None).convert([ONE]) == [ONE]
    for value in ({}, "text", TWO):
        with pytest.raises(ValidationFailed, match="Picture"):
            Schema(Picture).convert(value)
