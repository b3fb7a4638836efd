"""What stands before a handler: who calls, what they reach, and how they are refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_execution.orpc import (
    GATE,
    BatchHandlerPlugin,
    CallContext,
    CORSPlugin,
    HandlerPlugin,
    NextRequest,
    ORPCError,
    Request,
    Response,
    RPCHandler,
    rpc,
)
from tests.orpc._server.driver import Answer, Connection, scope_of

if TYPE_CHECKING:
    import pytest

Pairs = tuple[tuple[str, str], ...]

JSON: Pairs = (("content-type", "application/json"),)


class Visitor:
    """Reaches the procedures of one name."""

    context: Mapping[str, Any] = {"caller": "ada"}
    facts: Mapping[str, object] = {"caller": "ada"}

    def check(self, path: tuple[str, ...]) -> None:
        if path[-1] == "closed":
            raise ORPCError("FORBIDDEN")


@rpc.handler
async def open_to_all(ctx: CallContext) -> object:
    return dict(ctx.context)


@rpc.handler
async def closed(ctx: CallContext) -> None:
    raise AssertionError("a procedure that was refused ran")


@rpc.handler
async def broken(ctx: CallContext) -> None:
    raise LookupError("secret")


def handler(**options: Any) -> RPCHandler:
    router = {"open": open_to_all, "closed": closed, "broken": broken}
    return RPCHandler(router, context={"caller": "whoever says so", "db": 1}, **options)


async def through_gate(
    app: RPCHandler, target: str, body: bytes = b"{}", headers: Pairs = JSON
) -> Answer:
    connection = Connection([body])
    scope = scope_of("POST", target, headers)
    await app({**scope, GATE: Visitor()}, connection.receive, connection.send)
    return connection.answer()


async def refused(app: RPCHandler, method: str = "POST", headers: Pairs = JSON) -> Answer:
    connection = Connection([b"never read"])
    scope = scope_of(method, "/open", headers)
    error = ORPCError("UNAUTHORIZED")
    added = (("www-authenticate", "Bearer"),)
    await app.refuse(scope, connection.receive, connection.send, error, added)
    assert connection.chunks_read == 0
    return connection.answer()


async def test_what_the_gate_knows_is_laid_over_the_context() -> None:
    answer = await through_gate(handler(), "/open")

    assert answer.json()["json"] == {"caller": "ada", "db": 1}


async def test_procedure_that_the_gate_closes_is_not_called() -> None:
    answer = await through_gate(handler(), "/closed", b"not even JSON")

    assert (answer.status, answer.error()["code"]) == (403, "FORBIDDEN")


async def test_gate_holds_for_each_call_of_a_batch() -> None:
    calls = [{"url": f"http://h/{name}", "body": {}} for name in ("open", "closed")]
    answer = await through_gate(
        handler(plugins=[BatchHandlerPlugin()]),
        "/open/__batch__",
        json.dumps(calls).encode(),
        headers=(*JSON, ("x-orpc-batch", "buffered")),
    )

    assert {item["index"]: item["status"] for item in json.loads(answer.body)} == {0: 200, 1: 403}


async def test_log_of_a_failure_says_who_called_and_the_answer_only_its_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await through_gate(handler(), "/broken")

    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    facts = vars(record)
    assert facts["caller"] == "ada"
    assert answer.headers["x-error-id"] == facts["error_id"]
    assert b"secret" not in answer.body
    assert "data" not in answer.error()


async def test_refusal_is_an_error_of_the_wire_with_the_headers_it_needs() -> None:
    answer = await refused(handler())

    assert (answer.status, answer.error()["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_refusal_of_a_batch_is_not_mistaken_for_a_malformed_one() -> None:
    headers = (*JSON, ("x-orpc-batch", "streaming"))
    answer = await refused(handler(plugins=[BatchHandlerPlugin()]), headers=headers)

    assert answer.status == 401


async def test_preflight_passes_and_the_refusal_names_the_origin() -> None:
    app = handler(plugins=[CORSPlugin()])
    origin = (("origin", "https://app.example"),)

    preflight = await refused(app, "OPTIONS", headers=origin)
    answer = await refused(app, headers=origin)

    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_plugin_cannot_let_in_what_was_refused() -> None:
    class Page(HandlerPlugin):
        async def around(self, request: Request, next: NextRequest) -> Response:
            return Response(200, (), b"the page")

    answer = await refused(handler(plugins=[Page()]), "GET")

    assert answer.status == 401
    assert b"the page" not in answer.body
