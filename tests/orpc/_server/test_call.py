"""A procedure called with no wire in between."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from durable_execution.orpc import CallContext, ORPCError, call, rpc

_tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")


@dataclass
class Order:
    item: str
    amount: int


async def test_bad_input_names_every_issue_and_keeps_the_handler_from_running() -> None:
    ran: list[Any] = []
    procedure = rpc.input(list[Order]).handler(lambda ctx, orders: ran.append(orders))

    with pytest.raises(ORPCError) as caught:
        await call(procedure, [{"item": "lamp", "amount": "two"}])

    error = caught.value
    assert (error.code, error.status, error.defined) == ("BAD_REQUEST", 400, False)
    assert error.message == "Input validation failed"
    [issue] = error.data["issues"]
    assert issue["path"] == [0, "amount"]
    assert "expected int" in issue["message"]
    assert ran == []


async def test_bad_output_says_nothing_to_the_caller_but_keeps_the_cause() -> None:
    with pytest.raises(ORPCError) as caught:
        await call(rpc.output(Order).handler(lambda: {"item": "secret"}))

    error = caught.value
    assert error.to_json() == {
        "defined": False,
        "code": "INTERNAL_SERVER_ERROR",
        "status": 500,
        "message": "Output validation failed",
    }
    assert "amount" in str(error.__cause__)


async def test_other_exceptions_come_out_as_they_were_raised() -> None:
    def broken() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await call(rpc.handler(broken))


async def test_async_handler_runs_on_the_loop_and_a_plain_one_in_a_thread() -> None:
    async def on_loop() -> int:
        return threading.get_ident()

    def in_thread() -> int:
        return threading.get_ident()

    assert await call(rpc.handler(on_loop)) == threading.get_ident()
    assert await call(rpc.handler(in_thread)) != threading.get_ident()


async def test_plain_handler_sees_the_context_variables_of_the_caller() -> None:
    _tenant.set("acme")

    assert await call(rpc.handler(lambda: _tenant.get())) == "acme"


async def test_stop_iteration_of_a_plain_handler_does_not_hang_the_call() -> None:
    procedure = rpc.handler(lambda: next(iter(())))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(call(procedure), timeout=5)


async def test_awaitable_of_a_plain_handler_is_awaited() -> None:
    async def later() -> str:
        return "later"

    assert await call(rpc.handler(lambda: later())) == "later"


async def test_handler_sees_path_headers_and_context() -> None:
    def look(ctx: CallContext) -> list[Any]:
        return [ctx.path, ctx.headers["x-a"], ctx.headers.get("X-A"), ctx.context["user"]]

    result = await call(
        rpc.handler(look), context={"user": "ada"}, headers={"X-A": "1"}, path=("a", "b")
    )

    assert result == [("a", "b"), "1", "1", "ada"]


async def test_headers_do_not_show_their_values_in_a_repr() -> None:
    procedure = rpc.handler(lambda ctx: repr(ctx.headers))

    assert await call(procedure, headers={"authorization": "secret"}) == (
        "RequestHeaders(authorization)"
    )


async def test_headers_are_a_mapping_of_lower_case_names() -> None:
    procedure = rpc.handler(lambda ctx: [len(ctx.headers), dict(ctx.headers)])

    assert await call(procedure, headers={"X-A": "1", "x-b": "2"}) == [2, {"x-a": "1", "x-b": "2"}]
