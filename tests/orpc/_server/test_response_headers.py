"""Headers that procedures and middlewares send with their answers."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import CallContext, ORPCError, ResponseHeaders, RPCHandler, call, rpc
from durable_execution.orpc._server.response_headers import with_vary
from tests.orpc._server.driver import ask


async def test_headers_go_with_values_errors_and_failures() -> None:
    def act(ctx: CallContext, how: str) -> str:
        ctx.response_headers.add("Set-Cookie", "a=1")
        ctx.response_headers.add("set-cookie", "b=2")
        if how == "error":
            raise ORPCError("NOT_FOUND")
        if how == "bug":
            raise ValueError("secret")
        return how

    app = RPCHandler({"act": rpc.handler(act)})

    for how, status in (("value", 200), ("error", 404), ("bug", 500)):
        answer = await ask(app, "/act", f'{{"json":"{how}"}}')
        assert (answer.status, answer.values("set-cookie")) == (status, ["a=1", "b=2"])
        assert answer.values("content-type") == ["application/json"]


async def test_middleware_and_handler_share_them_and_calls_do_not() -> None:
    async def stamp(ctx: CallContext, value: Any, proceed: Any) -> Any:
        ctx.response_headers["x-stamp"] = "early"
        return await proceed(context={"stamped": True})

    def act(ctx: CallContext, value: bool) -> None:
        if value:
            ctx.response_headers["X-Stamp"] = "late"

    app = RPCHandler({"act": rpc.use(stamp).handler(act)})

    assert (await ask(app, "/act", '{"json":true}')).values("x-stamp") == ["late"]
    assert (await ask(app, "/act", '{"json":false}')).values("x-stamp") == ["early"]


async def test_direct_call_has_them_too() -> None:
    def act(ctx: CallContext) -> None:
        ctx.response_headers["x-a"] = "1"

    assert await call(rpc.handler(act)) is None


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("x a", "1", "not a header name"),
        ("", "1", "not a header name"),
        ("x-a\n", "1", "not a header name"),
        ("x-a", "a\r\nset-cookie: b=1", "one line"),
        ("x-a", "\u20ac", "one line"),
        ("Content-Type", "text/html", "set by the handler itself"),
        ("content-length", "0", "set by the handler itself"),
        ("transfer-encoding", "chunked", "set by the handler itself"),
    ],
)
def test_what_http_cannot_carry_is_refused(name: str, value: str, problem: str) -> None:
    headers = ResponseHeaders()

    with pytest.raises(ValueError, match=problem):
        headers.add(name, value)
    with pytest.raises(ValueError, match=problem) as caught:
        headers[name] = value
    assert "set-cookie" not in str(caught.value)
    assert len(headers) == 0


def test_what_is_no_text_is_refused() -> None:
    value: Any = 60

    with pytest.raises(TypeError, match="expected str, got int"):
        ResponseHeaders().add("x-a", value)


def test_repr_keeps_the_values_to_itself() -> None:
    headers = ResponseHeaders()
    headers.add("set-cookie", "session=secret")

    assert repr(headers) == "ResponseHeaders(set-cookie)"
    assert list(headers) == [("set-cookie", "session=secret")]


def test_vary_is_said_once() -> None:
    headers = (("vary", "a"), ("x", "1"), ("vary", "B"))

    assert with_vary(headers, "b") == headers
    assert with_vary(headers, "c") == (("x", "1"), ("vary", "a, B, c"))
    assert with_vary((), "c") == (("vary", "c"),)
