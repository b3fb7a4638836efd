"""Requests and responses without an HTTP library."""

from __future__ import annotations

from durable_execution.orpc._protocol import Request, Response


def test_url_is_origin_path_and_query() -> None:
    request = Request("GET", "/rpc/a%2Fb", "data=1", origin="http://h:1")

    assert request.target == "/rpc/a%2Fb?data=1"
    assert request.url == "http://h:1/rpc/a%2Fb?data=1"
    assert Request("POST", "/rpc").url == "/rpc"


def test_first_of_repeated_headers_counts() -> None:
    headers = (("content-type", "text/plain"), ("content-type", "application/json"))

    assert Request("POST", "/", headers=headers).header("content-type") == "text/plain"
    assert Response(200, headers).header("content-type") == "text/plain"
    assert Response(200, headers).header("content-length") is None


def test_what_the_transport_knows_is_neither_compared_nor_shown() -> None:
    request = Request("POST", "/", transport={"secret": "x"})

    assert request == Request("POST", "/")
    assert "secret" not in repr(request)
