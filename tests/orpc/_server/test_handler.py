"""Requests in, responses out: what callers see, and what they never see."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from durable_execution._codec import TypedJson
from durable_execution.orpc import CallContext, ORPCError, Procedure, Request, Response, rpc
from durable_execution.orpc._server.handler import ProcedureHandler

MASKED = {
    "defined": False,
    "code": "INTERNAL_SERVER_ERROR",
    "status": 500,
    "message": "Internal server error",
}


async def answer(
    procedure: Procedure, body: bytes = b"{}", *, context: Any = None, **request: Any
) -> Response:
    handler = ProcedureHandler({"p": procedure}, codec=TypedJson(), context=context)
    response = await handler.handle(Request("POST", "/p", body=body, **request))
    assert response is not None
    return response


def value_of(response: Response) -> Any:
    return json.loads(response.body)["json"]


def raising(error: BaseException) -> Procedure:
    async def handler() -> None:
        raise error

    return rpc.handler(handler)


async def test_unmatched_path_is_left_to_the_application() -> None:
    handler = ProcedureHandler({}, codec=TypedJson())

    assert await handler.handle(Request("POST", "/p")) is None


@pytest.mark.parametrize(
    "error",
    [ValueError("secret"), MemoryError("secret"), RecursionError("secret"), StopIteration(1)],
    ids=repr,
)
async def test_unexpected_exception_is_masked_and_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = await answer(raising(error))

    assert response.status == 500
    assert value_of(response) == MASKED
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.levelno == logging.ERROR
    assert record.__dict__["procedure"] == "p"


async def test_output_that_cannot_be_encoded_is_masked_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await answer(rpc.handler(lambda: object()))

    assert value_of(response) == MASKED
    assert len(caplog.records) == 1


async def test_error_whose_data_cannot_be_encoded_is_masked_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await answer(raising(ORPCError("NOT_FOUND", data=object())))

    assert (response.status, value_of(response)) == (500, MASKED)
    assert len(caplog.records) == 1


async def test_expected_errors_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    response = await answer(raising(ORPCError("NOT_FOUND")))

    assert response.status == 404
    assert caplog.records == []


async def test_bad_output_is_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    await answer(rpc.output(str).handler(lambda: 42))

    assert "expected str, got int" in caplog.text


@pytest.mark.parametrize("status", [0, 100, 199, 1000, -1])
async def test_status_no_server_can_send_stays_in_the_body_only(status: int) -> None:
    response = await answer(raising(ORPCError("ODD", status=status)))

    assert response.status == 500
    assert value_of(response)["status"] == status


async def test_cancelled_error_nobody_asked_for_is_a_masked_error() -> None:
    async def handler() -> None:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    assert value_of(await answer(rpc.handler(handler))) == MASKED


async def test_cancelled_call_is_cancelled_and_not_answered() -> None:
    started = asyncio.Event()

    async def handler() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(answer(rpc.handler(handler)))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


def user_of(request: Request) -> Mapping[str, Any]:
    if request.header("authorization") is None:
        raise ORPCError("UNAUTHORIZED")
    return {"user": request.header("authorization")}


async def user_of_later(request: Request) -> Mapping[str, Any]:
    return user_of(request)


@pytest.mark.parametrize(
    "context", [{"user": "ada"}, user_of, user_of_later], ids=["mapping", "def", "async def"]
)
async def test_context_is_a_mapping_or_made_for_each_request(context: Any) -> None:
    procedure = rpc.handler(lambda ctx: ctx.context["user"])

    response = await answer(procedure, context=context, headers=(("authorization", "ada"),))

    assert value_of(response) == "ada"


async def test_context_function_may_refuse_the_call() -> None:
    response = await answer(rpc.handler(lambda: "never"), context=user_of)

    assert (response.status, value_of(response)["code"]) == (401, "UNAUTHORIZED")


async def test_failing_context_function_is_masked() -> None:
    def broken(request: Request) -> Mapping[str, Any]:
        raise ValueError("secret")

    assert value_of(await answer(rpc.handler(lambda: "never"), context=broken)) == MASKED


async def test_context_function_sees_the_body_as_it_was_sent() -> None:
    procedure = rpc.handler(lambda ctx: ctx.context["raw"].decode())

    response = await answer(procedure, b'{"json": 1 }', context=lambda r: {"raw": r.body})

    assert value_of(response) == '{"json": 1 }'


async def test_call_knows_where_a_stream_is_to_be_resumed() -> None:
    def look(ctx: CallContext) -> list[Any]:
        return [ctx.last_event_id, ctx.headers["last-event-id"]]

    response = await answer(rpc.handler(look), headers=(("last-event-id", "7"),))

    assert value_of(response) == ["7", "7"]


async def test_repeated_headers_are_joined_for_the_handler() -> None:
    procedure = rpc.handler(lambda ctx: dict(ctx.headers))
    headers = (("x-a", "1"), ("cookie", "a=1"), ("x-a", "2"), ("cookie", "b=2"))

    response = await answer(procedure, headers=headers)

    assert value_of(response) == {"x-a": "1, 2", "cookie": "a=1; b=2"}


async def test_handler_that_changes_its_context_changes_no_other_call() -> None:
    shared: dict[str, Any] = {}
    procedure = rpc.handler(lambda ctx: ctx.context.update(leak=1))

    response = await answer(procedure, context=shared)

    assert response.status == 200
    assert shared == {}


async def test_undecodable_input_wins_over_a_wrong_method() -> None:
    handler = ProcedureHandler({"p": raising(AssertionError())}, codec=TypedJson())

    response = await handler.handle(Request("GET", "/p", "data={"))

    assert response is not None
    assert response.status == 400
