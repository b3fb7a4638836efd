"""The seam around all requests: order, what plugins see, what their failures become."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from durable_execution.orpc import (
    CallContext,
    HandlerPlugin,
    NextRequest,
    ORPCError,
    Procedure,
    Request,
    Response,
    RPCHandler,
    rpc,
)
from tests.orpc._server.driver import Connection, ask, scope_of

ROUTER = {
    "ping": rpc.handler(lambda: "pong"),
    "echo": rpc.handler(lambda ctx, value: value),
    "typed": rpc.input(int).handler(lambda ctx, value: value),
}


class Marking(HandlerPlugin):
    """Adds its name to a header of the answer, and to a list on the way in."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        self.seen.append(f"{self.name} {request.method} {request.path}")
        response = await next(request)
        if response is None:
            return None
        return response.replace(headers=(*response.headers, ("x-mark", self.name)))


class Acting(HandlerPlugin):
    """Does as a function says."""

    def __init__(self, act: Callable[[Request, NextRequest], Any]) -> None:
        self.act = act

    async def around(self, request: Request, next: NextRequest) -> Response | None:
        found: Response | None = await self.act(request, next)
        return found


class Checking(HandlerPlugin):
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.seen: list[tuple[Request, tuple[str, ...], Procedure]] = []

    def check(self, request: Request, path: tuple[str, ...], procedure: Procedure) -> None:
        self.seen.append((request, path, procedure))
        if self.error is not None:
            raise self.error


async def test_first_plugin_is_outermost() -> None:
    seen: list[str] = []
    app = RPCHandler(ROUTER, plugins=[Marking("a", seen), Marking("b", seen)])

    answer = await ask(app, "/ping")

    assert answer.json() == {"json": "pong"}
    assert seen == ["a POST /ping", "b POST /ping"]
    assert answer.values("x-mark") == ["b", "a"]


async def test_unmatched_path_is_seen_and_left_to_the_application() -> None:
    seen: list[str] = []
    app = RPCHandler(ROUTER, prefix="/rpc", plugins=[Marking("a", seen)])

    inside, outside = await ask(app, "/rpc/nothing"), await ask(app, "/other")

    assert seen == ["a POST /rpc/nothing"]
    assert [(a.status, a.values("x-mark"), a.body) for a in (inside, outside)] == [
        (404, [], b"Not found")
    ] * 2


async def test_plugin_may_answer_itself_and_read_a_body_no_procedure_is_there_for() -> None:
    async def act(request: Request, next: NextRequest) -> Response | None:
        assert not isinstance(request.body, bytes)
        return Response(200, (), b"".join([piece async for piece in request.body]))

    app = RPCHandler(ROUTER, plugins=[Acting(act)])
    connection = Connection([b"some", b" text"])

    await app(scope_of("POST", "/nothing"), connection.receive, connection.send)

    assert connection.answer().body == b"some text"


async def test_plugin_may_ask_for_something_else_more_than_once() -> None:
    async def act(request: Request, next: NextRequest) -> Response | None:
        bodies = []
        for path, body in (("/ping", b"{}"), ("/echo", b'{"json":2}'), ("/none", b"")):
            answer = await next(request.replace(path=path, body=body))
            bodies.append(b"none" if answer is None else bytes(answer.body))  # type: ignore[arg-type]
        return Response(200, (), b" ".join(bodies))

    answer = await ask(RPCHandler(ROUTER, plugins=[Acting(act)]), "/any")

    assert answer.body == b'{"json":"pong"} {"json":2} none'


async def test_refusal_of_a_body_passes_through_the_plugins() -> None:
    app = RPCHandler(ROUTER, max_body_size=10, plugins=[Marking("a", [])])

    for headers in ([("content-length", "99")], []):
        answer = await ask(app, "/echo", b"x" * 99, headers=headers)
        assert answer.error()["code"] == "PAYLOAD_TOO_LARGE"
        assert answer.values("x-mark") == ["a"]


async def test_error_of_a_plugin_is_an_answer_for_those_further_out() -> None:
    async def act(request: Request, next: NextRequest) -> Response | None:
        raise ORPCError("FORBIDDEN", "Not from here")

    answer = await ask(RPCHandler(ROUTER, plugins=[Marking("a", []), Acting(act)]), "/ping")

    assert (answer.error()["message"], answer.values("x-mark")) == ("Not from here", ["a"])


async def test_bug_of_a_plugin_is_hidden_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def act(request: Request, next: NextRequest) -> Response | None:
        raise ValueError("secret")

    with caplog.at_level(logging.ERROR):
        answer = await ask(RPCHandler(ROUTER, plugins=[Acting(act)]), "/ping")

    assert answer.error()["message"] == "Internal server error"
    assert "secret" not in answer.body.decode()
    assert "ValueError: secret" in caplog.text


async def test_check_comes_after_decoding_and_before_strict_get_and_validation() -> None:
    plugin = Checking(ORPCError("NO", status=403))
    app = RPCHandler(ROUTER, plugins=[plugin])

    malformed = await ask(app, "/typed", b"{")
    assert (malformed.error()["status"], plugin.seen) == (400, [])
    assert (await ask(app, "/typed", method="GET")).error()["code"] == "NO"
    assert (await ask(app, "/typed", b'{"json":"no int"}')).error()["code"] == "NO"
    assert [(path, procedure) for _, path, procedure in plugin.seen] == [
        (("typed",), ROUTER["typed"])
    ] * 2


async def test_check_sees_the_request_that_crossed_the_wire() -> None:
    async def act(request: Request, next: NextRequest) -> Response | None:
        inner = request.replace(path="/echo", method="GET", query="data=%7B%7D", outer=request)
        return await next(inner)

    plugin = Checking()

    answer = await ask(RPCHandler(ROUTER, plugins=[Acting(act), plugin]), "/batch")

    # A GET by itself would be answered 405.
    assert answer.json() == {}
    assert [(request.method, request.path) for request, _, _ in plugin.seen] == [("POST", "/batch")]


async def test_handler_without_plugins_reads_no_body_of_an_unknown_path() -> None:
    connection = Connection([b"{}"])

    await RPCHandler(ROUTER)(scope_of("POST", "/nothing"), connection.receive, connection.send)

    assert (connection.answer().status, connection.chunks_read) == (404, 0)


class Stream:
    """A body that knows whether it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"never read"

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("error", [ValueError("bug"), asyncio.CancelledError()])
async def test_stream_that_a_failing_plugin_was_given_is_closed(error: BaseException) -> None:
    stream = Stream()

    async def answer(request: Request, next: NextRequest) -> Response | None:
        return Response(200, (), stream)

    async def fail(request: Request, next: NextRequest) -> Response | None:
        await next(request)
        raise error

    app = RPCHandler(ROUTER, plugins=[Acting(fail), Acting(answer)])

    with suppress(asyncio.CancelledError):
        assert (await ask(app, "/ping")).status == 500
    assert stream.is_closed


@pytest.mark.parametrize("plugin", [Checking, object(), rpc, None])
def test_what_is_no_plugin_is_refused(plugin: Any) -> None:
    with pytest.raises(TypeError, match="expected instances of HandlerPlugin"):
        RPCHandler(ROUTER, plugins=[plugin])


async def test_middleware_sees_headers_that_plugins_added_to_the_request() -> None:
    async def act(request: Request, next: NextRequest) -> Response | None:
        return await next(request.replace(headers=(*request.headers, ("x-user", "ada"))))

    async def who(ctx: CallContext) -> str:
        return ctx.headers["X-User"]

    app = RPCHandler({"who": rpc.handler(who)}, plugins=[Acting(act)])

    assert (await ask(app, "/who")).json() == {"json": "ada"}
