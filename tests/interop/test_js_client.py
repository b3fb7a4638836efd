"""The real @orpc/client, in two versions, against our server over a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from durable_execution.orpc import UNDEFINED, CallContext, ORPCError, Router, RPCHandler, rpc

pytestmark = pytest.mark.interop

CLIENTS = {"1.16.1": "@orpc/client", "1.8.7": "orpc-client-1-8-7"}

_tokens = {"Bearer ada": "ada"}


class Finished(Protocol):
    returncode: int
    stdout: str
    stderr: str


class RunNode(Protocol):
    def __call__(self, script: str, args: list[str]) -> Finished: ...


@dataclass
class Order:
    item: str
    amount: int
    due: datetime
    tags: set[str]


@dataclass
class Receipt:
    order_id: str
    total: float
    due: datetime


class Slow:
    """A call that waits for ever, and what became of it."""

    def __init__(self) -> None:
        self.started = False
        self.cancelled = False

    async def wait(self) -> None:
        self.started = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def authenticate(ctx: CallContext, value: Any, proceed: Any) -> Any:
    user = _tokens.get(ctx.headers.get("authorization", ""))
    if user is None:
        raise ORPCError("UNAUTHORIZED", "Send a token")
    return await proceed(context={"user": user})


async def place_order(ctx: CallContext, order: Order) -> Receipt:
    return Receipt(f"{order.item}-1", 9.5 * order.amount, order.due)


def raise_with_data() -> None:
    raise ORPCError(
        "NOT_FOUND", "No such item", data={"id": 7, "at": datetime.fromtimestamp(0, UTC)}
    )


async def raise_sold_out(ctx: CallContext) -> None:
    raise ctx.errors.SOLD_OUT(data={"left": 0})


def raise_bug() -> None:
    raise RuntimeError("the password is hunter2")


def raise_teapot() -> None:
    raise ORPCError("TEAPOT", status=418)


def make_router() -> Router:
    slow = Slow()
    return {
        "ping": rpc.handler(lambda ctx: "pong"),
        "echo": rpc.handler(lambda ctx, value: value),
        "describe": rpc.handler(lambda ctx, value: repr(value)),
        "nothing": rpc.handler(lambda ctx: UNDEFINED),
        "none": rpc.handler(lambda ctx: None),
        "deep": {"er": {"still": rpc.handler(lambda ctx: list(ctx.path))}},
        "odd name/é 🌍": rpc.handler(lambda ctx: "odd"),
        "a.b": {"..c": rpc.handler(lambda ctx: "dots")},
        "order": rpc.handler(place_order),
        "find": rpc.route(method="GET").handler(lambda ctx, value: value),
        "errors": {
            "withData": rpc.handler(raise_with_data),
            "soldOut": rpc.errors({"SOLD_OUT": {"status": 409, "data": dict[str, int]}}).handler(
                raise_sold_out
            ),
            "bug": rpc.handler(raise_bug),
            "badOutput": rpc.output(str).handler(lambda ctx: 42),
            "teapot": rpc.handler(raise_teapot),
        },
        "private": rpc.use(authenticate).router(
            {"whoAmI": rpc.handler(lambda ctx: ctx.context["user"])}
        ),
        "slow": rpc.handler(slow.wait),
        "slowStarted": rpc.handler(lambda ctx: slow.started),
        "slowCancelled": rpc.handler(lambda ctx: slow.cancelled),
    }


@pytest.fixture(scope="module")
def server_url(serve_app: Callable[[Any], str]) -> str:
    app = RPCHandler(make_router(), prefix="/rpc", max_body_size=100_000)
    return f"{serve_app(app)}/rpc"


@pytest.fixture(scope="module", params=CLIENTS.values(), ids=CLIENTS.keys())
def outcomes(
    request: pytest.FixtureRequest, run_node: RunNode, server_url: str
) -> Mapping[str, Any]:
    finished = run_node("js_client.mjs", [request.param, server_url])
    assert finished.returncode == 0, finished.stderr
    outcomes: Mapping[str, Any] = json.loads(finished.stdout)
    return outcomes


RESULTS = {
    "plain": "pong",
    "echoesEveryType": "same",
    "echoesAnInvalidDate": True,
    "echoesARegExp": "/a\\/b/gi",
    "undefinedInput": "UNDEFINED",
    "undefinedOutput": True,
    "noneIsNull": None,
    "nestedPath": ["deep", "er", "still"],
    "unicodePath": "odd",
    "dotsInAName": "dots",
    "typedInput": {"order_id": "lamp-1", "total": 19, "due": "1970-01-01T00:00:00.000Z"},
    "get": {"id": 3, "since": "1970-01-01T00:00:00.000Z"},
    "getTooLongFallsBackToPost": 1,
    "authorized": "ada",
    "put": "put",
    "abortedCall": "cancelled",
}

ERRORS = {
    "errorWithData": {
        "code": "NOT_FOUND",
        "status": 404,
        "message": "No such item",
        "defined": False,
        "data": {"id": 7, "at": "1970-01-01T00:00:00.000Z"},
    },
    "errorDefined": {
        "code": "SOLD_OUT",
        "status": 409,
        "message": "SOLD_OUT",
        "defined": True,
        "data": {"left": 0},
    },
    "errorMasked": {
        "code": "INTERNAL_SERVER_ERROR",
        "status": 500,
        "message": "Internal server error",
        "defined": False,
    },
    "errorBadOutput": {
        "code": "INTERNAL_SERVER_ERROR",
        "status": 500,
        "message": "Output validation failed",
        "defined": False,
    },
    "errorCustomStatus": {
        "code": "TEAPOT",
        "status": 418,
        "message": "TEAPOT",
        "defined": False,
    },
    "getOfAPostProcedure": {
        "code": "METHOD_NOT_SUPPORTED",
        "status": 405,
        "message": "Method Not Supported",
        "defined": False,
    },
    "unauthorized": {
        "code": "UNAUTHORIZED",
        "status": 401,
        "message": "Send a token",
        "defined": False,
    },
    "tooLarge": {
        "code": "PAYLOAD_TOO_LARGE",
        "status": 413,
        "message": "Payload Too Large",
        "defined": False,
    },
}


@pytest.mark.parametrize("scenario", RESULTS)
def test_real_client_gets_the_result(scenario: str, outcomes: Mapping[str, Any]) -> None:
    assert outcomes[scenario] == {"result": RESULTS[scenario]}


@pytest.mark.parametrize("scenario", ERRORS)
def test_real_client_gets_the_error(scenario: str, outcomes: Mapping[str, Any]) -> None:
    assert outcomes[scenario] == {"error": ERRORS[scenario]}


def test_real_client_reads_an_unknown_path_as_not_found(outcomes: Mapping[str, Any]) -> None:
    # The 404 is the application's text, not an error object: the client goes by the status.
    error = outcomes["notFound"]["error"]

    assert (error["code"], error["status"], error["message"]) == ("NOT_FOUND", 404, "Not Found")


def test_real_client_gets_the_issues_of_bad_input(outcomes: Mapping[str, Any]) -> None:
    error = outcomes["validationFailure"]["error"]

    assert (error["code"], error["message"]) == ("BAD_REQUEST", "Input validation failed")
    [issue] = error["data"]["issues"]
    assert issue["path"] == ["amount"]
    assert "expected int" in issue["message"]


def test_every_scenario_of_the_script_is_checked(outcomes: Mapping[str, Any]) -> None:
    assert outcomes.keys() == {*RESULTS, *ERRORS, "notFound", "validationFailure"}
