"""Batches between client and server, in one process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_execution.orpc import (
    AsgiSender,
    BatchHandlerPlugin,
    Batching,
    CallContext,
    Dialect,
    ORPCClient,
    ORPCError,
    Request,
    Response,
    RPCConnectionError,
    RPCHandler,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
    create_orpc_client,
    rpc,
)
from tests.orpc._client.fake_sender import FakeSender
from tests.orpc._server.driver import Connection, ask, scope_of
from tests.orpc.pieces import Pieces

HEADERS = (("content-type", "application/json"), ("x-orpc-batch", "buffered"))
MALFORMED = b'"Invalid batch request, this could be caused by a malformed request body'


class Counting:
    """A sender that counts requests on their way to an application."""

    def __init__(self, app: Any) -> None:
        self._inner = AsgiSender(app)
        self.requests: list[Request] = []

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        self.requests.append(request)
        return await self._inner.send(request, max_response_size=max_response_size)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def echo(ctx: CallContext, value: Any) -> Any:
    return value


async def count(ctx: CallContext, to: int) -> AsyncIterator[int]:
    for n in range(to):
        yield n


def client_of(
    router: Any, batch: Batching | None = None, dialect: Dialect = "v1", **options: Any
) -> tuple[ORPCClient, list[Request]]:
    app = RPCHandler(router, plugins=[BatchHandlerPlugin()], dialect=dialect)
    sender = Counting(app)
    batch = batch or Batching()
    link = RPCLink("http://localhost", sender=sender, batch=batch, dialect=dialect, **options)
    return create_orpc_client(link), sender.requests


both_modes = pytest.mark.parametrize("mode", ["streaming", "buffered"])
both_dialects = pytest.mark.parametrize("dialect", ["v1", "v2"])


@both_modes
@both_dialects
async def test_calls_of_one_moment_are_one_request(mode: Any, dialect: Dialect) -> None:
    async def fail() -> None:
        raise ORPCError("CONFLICT", data={"n": 1})

    router = {"echo": rpc.handler(echo), "fail": rpc.handler(fail)}
    client, requests = client_of(router, Batching(mode=mode), dialect)
    first, error, third = await asyncio.gather(
        client.echo({"a": 1}), client.fail(), client.echo(), return_exceptions=True
    )
    assert first == {"a": 1}
    assert isinstance(error, ORPCError)
    assert (error.code, error.status, error.data) == ("CONFLICT", 409, {"n": 1})
    assert not third
    assert [request.path for request in requests] == ["/echo/__batch__"]


async def test_calls_of_different_moments_are_requests_of_their_own() -> None:
    client, requests = client_of({"echo": rpc.handler(echo)})
    await client.echo(1)
    await client.echo(2)
    assert [request.path for request in requests] == ["/echo", "/echo"]


async def test_streaming_answers_each_call_when_it_is_done() -> None:
    later = asyncio.Event()

    async def slow() -> str:
        await later.wait()
        return "slow"

    client, _ = client_of({"echo": rpc.handler(echo), "slow": rpc.handler(slow)})
    waiting = asyncio.create_task(client.slow())
    assert await client.echo(1) == 1
    assert not waiting.done()
    later.set()
    assert await waiting == "slow"


async def test_calls_with_streams_and_files_go_alone() -> None:
    async def total(ctx: CallContext, numbers: AsyncIterator[int]) -> int:
        return sum([n async for n in numbers])

    async def numbers() -> AsyncIterator[int]:
        yield 1

    client, requests = client_of({"echo": rpc.handler(echo), "total": rpc.handler(total)})
    assert await asyncio.gather(client.echo(1), client.total(numbers()), client.echo(2)) == [
        1,
        1,
        2,
    ]
    assert sorted(request.path for request in requests) == ["/echo/__batch__", "/total"]


async def test_stream_as_the_answer_of_a_call_in_a_batch_is_an_error_and_closed() -> None:
    client, _ = client_of({"echo": rpc.handler(echo), "count": rpc.handler(count)})
    answer, error = await asyncio.gather(client.echo(1), client.count(3), return_exceptions=True)
    assert answer == 1
    assert isinstance(error, ORPCError)
    assert error.status == 500


async def test_call_given_up_leaves_the_others_and_the_last_one_cancels_the_request() -> None:
    cancelled: list[int] = []
    started = asyncio.Event()

    async def wait(ctx: CallContext, n: int) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            cancelled.append(n)

    client, _ = client_of({"wait": rpc.handler(wait)})
    calls = [asyncio.create_task(client.wait(n)) for n in range(2)]
    await started.wait()
    calls[0].cancel()
    await asyncio.wait((calls[0],))
    for _ in range(20):
        await asyncio.sleep(0)
    assert cancelled == []
    calls[1].cancel()
    await asyncio.wait((calls[1],))
    while len(cancelled) < 2:
        await asyncio.sleep(0)
    assert sorted(cancelled) == [0, 1]


async def test_timeout_is_that_of_each_call() -> None:
    async def wait(ctx: CallContext) -> None:
        await asyncio.Event().wait()

    client, _ = client_of({"echo": rpc.handler(echo), "wait": rpc.handler(wait)})
    answer, error = await asyncio.gather(
        client.echo(1), client.wait(timeout=0.05), return_exceptions=True
    )
    assert answer == 1
    assert isinstance(error, RPCTimeoutError)


@pytest.mark.parametrize(
    ("answer", "kind", "complaint"),
    [
        (Response(404, (("content-type", "text/plain"),), b"Not found"), RPCResponseError, "404"),
        (Response(207, HEADERS, b'{"index":0}'), RPCResponseError, "Invalid batch response"),
        (Response(207, HEADERS, b'[{"index":"0"}]'), RPCResponseError, "Invalid batch response"),
        (Response(207, HEADERS, b"[]"), RPCConnectionError, "ended before"),
        (Response(207, HEADERS, b'[{"index":7,"body":{}}]'), RPCConnectionError, "ended before"),
        (RPCConnectionError("gone", was_sent=False), RPCConnectionError, "gone"),
        (Response(207, (("content-type", "x/y"),), b"\xff" * 9), RPCResponseError, "larger than"),
    ],
    ids=["no plugin", "no array", "bad item", "nothing", "strange index", "broken", "huge"],
)
async def test_batch_without_a_good_answer_fails_every_call(
    answer: Any, kind: type[Exception], complaint: str
) -> None:
    link = RPCLink("http://localhost", sender=FakeSender(answer), batch=Batching())
    results = await asyncio.gather(
        *(link.call(["x"], n, timeout=5) for n in range(2)), return_exceptions=True
    )
    for result in results:
        assert isinstance(result, kind)
        assert complaint in str(result)
    assert results[0] is not results[1]


async def test_body_of_a_batch_is_closed_whatever_happens() -> None:
    for piece in (b'event: message\ndata: {"index":"x"}\n\n', b"data: " + b"x" * 100):
        body = Pieces([piece])
        response = Response(207, (("content-type", "text/event-stream"),), body)
        link = RPCLink("http://localhost", sender=FakeSender(response), batch=Batching())
        await asyncio.gather(link.call(["x"]), link.call(["x"]), return_exceptions=True)
        assert body.times_closed >= 1


async def test_get_calls_beyond_the_longest_url_are_split() -> None:
    procedure = rpc.route(method="GET").handler(echo)
    client, requests = client_of({"echo": procedure}, method="GET")
    texts = [str(n) * 400 for n in range(6)]
    assert await asyncio.gather(*(client.echo(text) for text in texts)) == texts
    assert len(requests) > 1
    assert all(len(request.url) <= 2083 and request.method == "GET" for request in requests)


async def test_query_of_the_base_url_and_common_headers_are_on_the_batch() -> None:
    seen: list[tuple[str, str | None]] = []

    async def handler(ctx: CallContext) -> None:
        seen.append((ctx.headers["x-all"], ctx.headers.get("x-own")))

    app = RPCHandler(rpc.handler(handler), plugins=[BatchHandlerPlugin()])
    sender = Counting(app)
    link = RPCLink(
        "http://localhost/?tenant=a", headers={"x-all": "1"}, sender=sender, batch=Batching()
    )
    await asyncio.gather(link.call([], headers={"x-own": "2"}), link.call([]))
    [request] = sender.requests
    assert request.target == "/__batch__?tenant=a"
    assert sorted(seen, key=str) == [("1", "2"), ("1", None)]


async def batch(body: bytes, app: Any = None, **options: Any) -> Any:
    plugins = [BatchHandlerPlugin(**options)]
    app = app or RPCHandler({"echo": rpc.handler(echo)}, plugins=plugins)
    return await ask(app, "/__batch__", body, headers=HEADERS)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"null",
        b"",
        b"[{",
        b"[1]",
        b"[{}]",
        b'[{"url":1}]',
        b'[{"url":"http://["}]',
        b'[{"url":"http://h/echo","headers":[]}]',
        b"\xff\xfe",
        b"[" * 100_000,
        b'[{"url":"http://h/echo","body":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
    ],
)
async def test_what_is_no_batch_is_a_400(body: bytes) -> None:
    answer = await batch(body)
    assert answer.status == 400
    assert answer.body.startswith(MALFORMED)


async def test_bounds_of_a_batch_are_the_applications_to_choose() -> None:
    items = [{"url": "http://h/echo", "body": {"json": n}} for n in range(3)]
    body = json.dumps(items).encode()
    assert (await batch(body, max_size=2)).status == 413
    assert (await batch(body, max_size=3)).status == 207
    assert (await batch(body, max_body_size=len(body) - 1)).status == 413
    for bad in ({"max_size": 0}, {"max_body_size": True}):
        with pytest.raises(ValueError, match="expected a positive int"):
            BatchHandlerPlugin(**bad)


async def test_item_cannot_leave_the_place_the_handler_is_mounted_at() -> None:
    app = RPCHandler({"echo": rpc.handler(echo)}, plugins=[BatchHandlerPlugin()])
    items = [
        {"url": f"http://h{path}", "body": {"json": 1}}
        for path in ("/rpc/echo", "/rpc/x/../echo", "/rpc/../../echo", "/echo")
    ]
    answer = await ask(app, "/rpc/__batch__", json.dumps(items), headers=HEADERS, root_path="/rpc")
    statuses = {item["index"]: item["status"] for item in answer.json()}
    assert (statuses[0], statuses[1], statuses[2]) == (200, 200, 404)


async def test_caller_that_leaves_cancels_every_call_of_a_batch() -> None:
    running = 0
    started = asyncio.Event()

    async def wait() -> None:
        nonlocal running
        running += 1
        if running == 3:
            started.set()
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    for mode in ("buffered", "streaming"):
        started.clear()
        connection = Connection([json.dumps([{"url": "http://h/wait", "body": {}}] * 3).encode()])
        app = RPCHandler({"wait": rpc.handler(wait)}, plugins=[BatchHandlerPlugin()])
        before = asyncio.all_tasks()
        headers = [("x-orpc-batch", mode)]
        serving = asyncio.create_task(
            app(scope_of("POST", "/__batch__", headers), connection.receive, connection.send)
        )
        await started.wait()
        connection.hang_up.set()
        await serving
        assert running == 0
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize("options", [{"mode": "fast"}, {"max_size": 0}])
def test_unusable_option_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=r"mode|max_size"):
        Batching(**options)


async def test_batch_that_was_not_let_in_tells_each_call_why() -> None:
    body = b'{"json":{"defined":false,"code":"UNAUTHORIZED","status":401,"message":"No token"}}'
    refusal = Response(401, (("content-type", "application/json"),), body)
    link = RPCLink("http://localhost", sender=FakeSender(refusal), batch=Batching())
    client = create_orpc_client(link)

    outcomes = await asyncio.gather(client.a(1), client.b(2), return_exceptions=True)

    for outcome in outcomes:
        assert isinstance(outcome, ORPCError)
        assert (outcome.code, outcome.message) == ("UNAUTHORIZED", "No token")
    assert outcomes[0] is not outcomes[1]
