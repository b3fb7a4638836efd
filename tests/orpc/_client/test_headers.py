from __future__ import annotations

import pytest

from durable_execution.orpc._client.headers import wire_headers


def test_names_are_lowered_and_lists_joined() -> None:
    assert wire_headers({"X-One": "1", "x-many": ["a", "b"], "x-none": []}) == {
        "x-one": "1",
        "x-many": "a, b",
        "x-none": "",
    }


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "\0", "é", ["fine", "not\rfine"]])
def test_value_that_could_break_out_of_its_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"headers\['x-a'\]: expected printable ASCII"):
        wire_headers({"x-a": value})


def test_refused_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        wire_headers({"authorization": "sécret"})
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x\n", "é"])
def test_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a header name"):
        wire_headers({name: "1"})


@pytest.mark.parametrize("name", ["Content-Type", "content-length", "Transfer-Encoding"])
def test_header_of_the_body_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="set by the client itself"):
        wire_headers({name: "1"})


@pytest.mark.parametrize("headers", [[("a", "b")], {"a": 1}, {1: "a"}, {"a": [1]}])
def test_headers_of_another_type_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="headers"):
        wire_headers(headers)
