"""What kind of body a message has, and what is inside its envelope."""

from __future__ import annotations

import pytest

from durable_execution._codec import UNDEFINED, JsonSyntaxError, RejectedEnvelope, TypedJson
from durable_execution.orpc._protocol import (
    BodyKind,
    Headers,
    body_kind,
    data_parameter,
    read_envelope,
)

CODEC = TypedJson()


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ((), BodyKind.JSON),
        ((("content-type", ""),), BodyKind.JSON),
        ((("content-type", "application/json"),), BodyKind.JSON),
        ((("content-type", "application/json; charset=utf-8"),), BodyKind.JSON),
        ((("content-type", "application/jsonx"),), BodyKind.JSON),
        ((("content-type", "Application/JSON"),), BodyKind.FILE),
        ((("content-type", "application/vnd.api+json"),), BodyKind.FILE),
        ((("content-type", "multipart/form-data; boundary=x"),), BodyKind.FORM),
        ((("content-type", "application/x-www-form-urlencoded"),), BodyKind.URL_ENCODED),
        ((("content-type", "text/event-stream"),), BodyKind.EVENT_STREAM),
        ((("content-type", "text/plain;charset=UTF-8"),), BodyKind.TEXT),
        ((("content-type", "text/html"),), BodyKind.FILE),
        ((("content-type", "application/json"), ("content-disposition", "")), BodyKind.FILE),
        ((("content-type", "text/plain"), ("content-type", "application/json")), BodyKind.TEXT),
    ],
    ids=repr,
)
def test_kind_follows_the_first_matching_row(headers: Headers, kind: BodyKind) -> None:
    assert body_kind(headers) is kind


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", UNDEFINED),
        (b"\xef\xbb\xbf", UNDEFINED),
        (b"{}", UNDEFINED),
        (b'{"a":1}', UNDEFINED),
        (b"[1]", UNDEFINED),
        (b'"x"', UNDEFINED),
        (b'\xef\xbb\xbf{"json":1}', 1),
        (b'{"json":null}', None),
        (b'{"json":"a\xffb"}', "a\ufffdb"),
        (b'{"json":"\xe2\x82"}', "\ufffd"),
    ],
)
def test_envelope_gives_its_value_and_anything_else_undefined(body: bytes, value: object) -> None:
    assert read_envelope(CODEC, body) == value


@pytest.mark.parametrize("body", [b" ", b"{", b"NaN", b"\xff", b'{"json":1}\xff', b"\xef\xbb"])
def test_text_that_is_not_json_is_a_syntax_error(body: bytes) -> None:
    with pytest.raises(JsonSyntaxError):
        read_envelope(CODEC, body)


def test_null_is_no_envelope() -> None:
    with pytest.raises(RejectedEnvelope):
        read_envelope(CODEC, b"null")


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("", b""),
        ("tenant=a", b""),
        ("data", b""),
        ("data=", b""),
        ("data=1&data=2", b"2"),
        ("data=1&data=", b""),
        ("data=a+b%20c", b"a b c"),
        ("data=%7B%7D&x=y", b"{}"),
        ("d%61ta=1", b"1"),
        ("data=a=b", b"a=b"),
        ("data=%zz%", b"%zz%"),
        ("data=%ff", b"\xff"),
        ("&&data=1&&", b"1"),
    ],
)
def test_last_data_parameter_is_read_as_a_form_does(query: str, data: bytes) -> None:
    assert data_parameter(query) == data
