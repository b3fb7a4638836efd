from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from durable_execution.orpc._client import (
    AsgiSender,
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
)
from durable_execution.orpc._protocol import ORPCError, Request
from tests.orpc.pieces import Pieces

URL = "http://localhost:8080/rpc"
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"Content-Type", b"application/json")],
}


def link_to(app: Any, **options: Any) -> RPCLink:
    return RPCLink(URL, sender=AsgiSender(app), **options)


async def echo_scope(scope: Any, receive: Any, send: Any) -> None:
    seen.append((scope, await receive()))
    await send(START)
    await send({"type": "http.response.body", "body": b'{"json":', "more_body": True})
    await send({"type": "http.response.body", "body": b"1}"})


seen: list[Any] = []


async def test_application_sees_an_ordinary_request() -> None:
    seen.clear()
    assert await link_to(echo_scope, headers={"x-a": "1"}).call(["a/b", "é"], 1) == 1
    [(scope, message)] = seen
    assert scope["path"] == "/rpc/a/b/é"
    assert scope["raw_path"] == b"/rpc/a%2Fb/%C3%A9"
    assert (scope["type"], scope["method"], scope["scheme"]) == ("http", "POST", "http")
    assert scope["server"] == ("localhost", 8080)
    assert dict(scope["headers"]) == {
        b"x-a": b"1",
        b"content-type": b"application/json",
        b"host": b"localhost:8080",
        b"content-length": b"10",
    }
    assert message == {"type": "http.request", "body": b'{"json":1}', "more_body": False}


async def test_query_reaches_the_application_encoded() -> None:
    seen.clear()
    await link_to(echo_scope, method="GET").call(["x"])
    assert seen[0][0]["query_string"] == b"data=%7B%7D"


async def test_error_of_the_application_is_the_cause_of_a_broken_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("inside")

    with pytest.raises(RPCConnectionError, match="failed before its answer") as caught:
        await link_to(app).call(["x"])
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.was_sent


async def test_error_after_a_complete_answer_is_logged_and_the_answer_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "status": 500})
        await send({"type": "http.response.body", "body": b""})
        raise LookupError("inside")

    with caplog.at_level(logging.ERROR), pytest.raises(ORPCError) as caught:
        await link_to(app).call(["x"])
    assert caught.value.status == 500
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [LookupError]


async def test_application_that_returns_without_an_answer_is_a_broken_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)

    with pytest.raises(RPCConnectionError, match="ended without an answer"):
        await link_to(app).call(["x"])


async def test_endless_answer_is_cut_off() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        while True:
            await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
            sent += 1

    with pytest.raises(RPCResponseError, match="larger than 1000 bytes"):
        await link_to(app, max_response_size=1000).call(["x"])
    assert sent == 10


async def test_application_that_ignores_the_cut_is_told_that_the_caller_left() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        with pytest.raises(OSError, match="the caller has gone"):
            await send({"type": "http.response.body", "body": b"x" * 1001, "more_body": True})
        told.append((await receive())["type"])

    with pytest.raises(RPCResponseError, match="larger than 1000 bytes"):
        await link_to(app, max_response_size=1000, timeout=5).call(["x"])
    assert told == ["http.disconnect"]


async def test_what_is_sent_after_the_answer_is_refused() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b'{"json":1}'})
        with pytest.raises(OSError, match="has ended"):
            await send({"type": "http.response.body", "body": b"more"})

    assert await link_to(app).call(["x"]) == 1


async def test_timeout_cancels_the_application() -> None:
    cancelled = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(RPCTimeoutError):
        await link_to(app, timeout=0.01).call(["x"])
    assert cancelled.is_set()


async def test_disconnect_is_told_only_after_the_answer() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await send(START)
        await send({"type": "http.response.body", "body": b"{}"})
        told.append((await waiting)["type"])

    await link_to(app).call(["x"])
    assert told == ["http.disconnect"]


async def test_closed_sender_refuses_calls() -> None:
    sender = AsgiSender(echo_scope)
    await sender.aclose()
    with pytest.raises(RuntimeError, match="AsgiSender is closed"):
        await RPCLink(URL, sender=sender).call(["x"])


EVENTS = {**START, "headers": [(b"content-type", b"text/event-stream")]}


def post(body: Any = b"") -> Request:
    return Request("POST", "/x", body=body, origin="http://localhost")


async def test_streamed_answer_is_returned_before_its_body_and_made_as_it_is_read() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(EVENTS)
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            sent += 1
        await send({"type": "http.response.body", "body": b""})

    response = await AsgiSender(app).send(post(), max_response_size=1)
    pieces = aiter(response.body)

    assert (await anext(pieces), sent) == (b"x", 0)
    assert (await anext(pieces), sent) == (b"x", 1)
    assert [piece async for piece in response.body] == [b"x"]
    assert sent == 3
    await response.body.aclose()


async def test_closing_a_streamed_answer_cancels_the_application() -> None:
    ended_by: list[type[BaseException]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(EVENTS)
        try:
            await receive()
            await receive()
        except BaseException as error:
            ended_by.append(type(error))
            raise

    before = asyncio.all_tasks()
    response = await AsgiSender(app).send(post(), max_response_size=1)
    await response.body.aclose()
    await response.body.aclose()

    assert ended_by == [asyncio.CancelledError]
    assert asyncio.all_tasks() == before


async def test_failure_amid_a_streamed_answer_breaks_it_after_what_was_sent() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(EVENTS)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        raise LookupError("inside")

    response = await AsgiSender(app).send(post(), max_response_size=1)
    pieces = aiter(response.body)

    assert await anext(pieces) == b"x"
    with pytest.raises(RPCConnectionError, match="failed before its answer") as caught:
        await anext(pieces)
    assert isinstance(caught.value.__cause__, LookupError)


async def test_streamed_request_reaches_the_application_in_pieces_and_is_closed() -> None:
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append(dict(scope["headers"]))
        while True:
            message = await receive()
            got.append((message["body"], message["more_body"]))
            if not message["more_body"]:
                break
        await send(START)
        await send({"type": "http.response.body", "body": b"{}"})

    body = Pieces([b"a", b"b"])
    response = await AsgiSender(app).send(post(body), max_response_size=10)

    assert response.body == b"{}"
    assert got == [{b"host": b"localhost"}, (b"a", True), (b"b", True), (b"", False)]
    assert body.times_closed == 1
