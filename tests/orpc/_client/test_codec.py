from __future__ import annotations

from typing import Any

import pytest

from durable_execution._codec import UNDEFINED, DecodeError, EncodeError, TypedJson
from durable_execution.orpc._client.base_url import base_url
from durable_execution.orpc._client.codec import MAX_URL_LENGTH, LinkCodec
from durable_execution.orpc._client.error import RPCResponseError
from durable_execution.orpc._protocol import ORPCError, Request, Response
from tests.orpc._client.fake_sender import json_response

URL = "http://localhost/rpc"


def encode(value: object = UNDEFINED, *, url: str = URL, **options: Any) -> Request:
    settings = {"method": "POST", "headers": {}, **options}
    return LinkCodec(base_url(url), TypedJson()).encode(
        settings.pop("path", ["x"]), value, **settings
    )


async def decode(response: Response) -> object:
    return await LinkCodec(base_url(URL), TypedJson()).decode(response)


def test_slash_in_a_name_stays_inside_its_segment() -> None:
    assert encode(path=["a/b", "c"]).path == "/rpc/a%2Fb/c"


def test_empty_path_is_the_router_itself() -> None:
    assert encode(path=[]).path == "/rpc/"


def test_get_parameter_is_form_encoded() -> None:
    request = encode("a b~*é", method="GET")
    assert request.query == "data=%7B%22json%22%3A%22a+b%7E*%C3%A9%22%7D"
    assert (request.body, request.headers) == (b"", ())


def test_get_falls_back_to_post_only_beyond_the_longest_url() -> None:
    room = MAX_URL_LENGTH - len(encode("", method="GET").url)
    longest = encode("x" * room, method="GET")
    assert (longest.method, len(longest.url)) == ("GET", MAX_URL_LENGTH)
    fallen = encode("x" * (room + 1), method="GET")
    assert (fallen.method, fallen.query) == ("POST", "")
    assert fallen.header("content-type") == "application/json"


def test_value_without_wire_form_is_refused() -> None:
    with pytest.raises(EncodeError):
        encode({"f": object()})


async def test_event_stream_with_an_error_status_is_an_error_by_status() -> None:
    with pytest.raises(ORPCError) as caught:
        await decode(Response(500, (("content-type", "text/event-stream"),), b"event: message\n\n"))
    assert (caught.value.code, caught.value.status) == ("INTERNAL_SERVER_ERROR", 500)
    assert caught.value.data == {
        "status": 500,
        "headers": {"content-type": "text/event-stream"},
        "body": UNDEFINED,
    }


async def test_repeated_response_headers_are_joined_in_error_data() -> None:
    headers = (("content-type", "text/plain"), ("vary", "a"), ("vary", "b"))
    with pytest.raises(ORPCError) as caught:
        await decode(Response(503, headers, b"busy"))
    assert caught.value.data["headers"] == {"content-type": "text/plain", "vary": "a, b"}


async def test_deeply_nested_response_is_an_ordinary_failure() -> None:
    with pytest.raises(RPCResponseError, match=r"RPC response|response body") as caught:
        await decode(json_response(b'{"json":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))
    assert isinstance(caught.value.__cause__, DecodeError)
