"""Generated values: everything that goes out and comes back the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from durable_execution._codec import UNDEFINED, BigInt, JsDate, JsMap, JsSet, RegExp, Url

MAX_SAFE_INTEGER = 2**53 - 1

text = st.text(st.characters(), max_size=12)
keys = text.filter(lambda key: key != "__proto__")
numbers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.floats(allow_infinity=False).filter(
    lambda number: str(number) != "-0.0"
)
dates = st.integers(-62_135_596_800_000, 253_402_300_799_999).map(
    lambda epoch_ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch_ms)
)
distant_dates = st.integers(253_402_300_800_000, 8_640_000_000_000_000).map(JsDate)
json_leaves = st.none() | st.booleans() | text | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
leaves = (
    json_leaves
    | numbers
    | st.integers().map(BigInt)
    | dates
    | distant_dates
    | st.just(JsDate(None))
    | st.sampled_from([Url("https://example.com/a?b#c"), Url("mailto:x@example.com")])
    | st.builds(RegExp, st.sampled_from(["", "a/b", "[/]", r"\/", r"\\", "\n"]), st.just("gi"))
)


def _containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    elements = children | st.just(UNDEFINED)
    return (
        st.lists(elements, max_size=4)
        | st.dictionaries(keys, children, max_size=4)
        | st.lists(elements, max_size=4).map(JsSet)
        | st.lists(st.tuples(elements, elements), max_size=4).map(JsMap)
    )


values = st.just(UNDEFINED) | st.recursive(leaves, _containers, max_leaves=20)
json_values = st.recursive(
    json_leaves,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(keys, children, max_size=4),
    max_leaves=20,
)
