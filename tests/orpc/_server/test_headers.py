"""Headers that are decoded when somebody looks at them."""

from __future__ import annotations

import pytest

from durable_execution.orpc._server.headers import RequestHeaders, ScopeHeaders

ONCE = [(b"content-type", b"application/json"), (b"x-name", b"Zo\xeb")]
TWICE = [*ONCE, (b"x-name", b"Ada"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]


@pytest.mark.parametrize("raw", [ONCE, TWICE, []], ids=["once", "twice", "none"])
def test_what_is_decoded_late_is_the_same(raw: list[tuple[bytes, bytes]]) -> None:
    pairs = tuple((name.decode(), value.decode("latin-1")) for name, value in raw)
    late, early = ScopeHeaders(raw), RequestHeaders(pairs)

    for name in ("content-type", "x-name", "cookie", "missing"):
        assert late.first(name) == early.first(name)
        assert late.get(name) == early.get(name)
        assert late.get(name.upper()) == early.get(name)
        assert late.get(name, "other") == early.get(name, "other")
        assert (name in late) == (name in early)
    assert late.pairs == pairs
    assert dict(late) == dict(early)
    assert repr(late) == repr(early)


def test_repeated_headers_are_joined_and_the_first_of_them_is_known() -> None:
    headers = ScopeHeaders(TWICE)

    assert headers.get("X-Name") == headers["x-name"] == "Zoë, Ada"
    assert headers["cookie"] == "a=1; b=2"
    assert headers.first("x-name") == "Zoë"


@pytest.mark.parametrize("name", ["größe", "\ud83d", "K"], ids=["umlaut", "surrogate", "kelvin"])
def test_name_that_no_header_can_have_is_not_there(name: str) -> None:
    assert ScopeHeaders([(b"k", b"1")]).get(name, None) == RequestHeaders((("k", "1"),)).get(name)
