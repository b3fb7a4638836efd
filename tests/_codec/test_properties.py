"""Laws that hold for every value and every text."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from durable_execution._codec import (
    UNDEFINED,
    DecodeError,
    Encoded,
    date_text,
    dumps,
    encoded_object,
    loads,
)
from durable_execution._codec.dates import from_epoch_ms
from tests._codec.strategies import json_values, values
from tests.vectors.notation import load_vectors, same

TEXTS = [
    vector["wire_text"].encode()
    for name in ("values.json", "decode.json", "custom.json")
    for vector in load_vectors(name)
    if len(vector["wire_text"]) < 2000
]
# Single bytes that matter to a parser, then whole pieces.
MUTATIONS = st.sampled_from(
    [bytes([byte]) for byte in b'0"[]{},:\\-\xff\x00']
    + b'|-0|1e999|null|[[7]]|999999999999999999999|"__proto__"|\xef\xbb\xbf|\\ud800'.split(b"|")
)


@given(values)
@example([0.1, 1e21, 1e-7, 5e-324, 123456789012345680000.0, 1.7976931348623157e308])
@example({"a": "\ud800", "\udfff": ["x\ud83d"]})
def test_what_goes_out_comes_back(value: Any) -> None:
    assert same(loads(dumps(value)), value)


@given(values)
def test_a_decoded_value_encodes_to_the_same_text(value: Any) -> None:
    payload = dumps(value)
    assert dumps(loads(payload)) == payload


@given(json_values)
def test_plain_json_needs_no_tags(value: Any) -> None:
    payload = dumps(value)
    assert json.loads(payload) == {"json": value}


@given(values, values)
@example({"\ud800": None}, "\udfff")
def test_an_encoded_part_reads_as_the_value_it_was_encoded_from(first: Any, second: Any) -> None:
    spliced = {"a": [first, {"b": second}], "c": first}
    encoded = {
        "a": [Encoded(dumps(first)), {"b": Encoded(dumps(second))}],
        "c": Encoded(dumps(first)),
    }
    assert dumps(encoded) == dumps(spliced)


@given(values, values, st.integers(-(10**13), 10**13))
@example({"\ud800": None}, "\udfff", -62_167_219_200_001)
def test_an_object_written_at_once_has_the_text_of_the_walk(
    first: Any, second: Any, at: int
) -> None:
    walked = {"n": [1, "x"], "first": first, "second": second}
    parts = {"n": [1, "x"], "first": Encoded(dumps(first)), "second": Encoded(dumps(second))}
    assert dumps(encoded_object(parts)) == dumps(walked)

    written = loads(
        dumps(encoded_object({"a": Encoded(dumps(first)), "at": date_text(at)}, ["at"]))
    )
    assert same(written["at"], from_epoch_ms(at))
    assert same(written.get("a", UNDEFINED), first)


@given(st.sampled_from(TEXTS), st.lists(st.tuples(st.integers(0), MUTATIONS), max_size=4))
def test_a_damaged_text_gives_a_value_or_a_decode_error(
    text: bytes, mutations: list[tuple[int, bytes]]
) -> None:
    for position, inserted in mutations:
        place = position % (len(text) + 1)
        text = text[:place] + inserted + text[place + position % 3 :]
    with contextlib.suppress(DecodeError):
        loads(text)


@given(json_values, st.lists(st.lists(json_values | st.integers(0, 8), max_size=4), max_size=4))
def test_any_meta_gives_a_value_or_a_decode_error(value: Any, meta: Any) -> None:
    with contextlib.suppress(DecodeError):
        loads(json.dumps({"json": value, "meta": meta}))


@given(st.binary(max_size=40))
def test_any_bytes_give_a_value_or_a_decode_error(text: bytes) -> None:
    with contextlib.suppress(DecodeError):
        loads(text)
