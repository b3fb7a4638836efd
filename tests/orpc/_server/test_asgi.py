"""The ASGI application: mounted or alone, with callers that leave and bodies that are too long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from durable_execution.orpc import Limits, Procedure, Request, RPCHandler, rpc
from tests.orpc._server.driver import App, Connection, ask, scope_of

ECHO = rpc.handler(lambda ctx, value: value)
WHERE = rpc.handler(lambda ctx: list(ctx.path))
ROUTER = {"a/b": {"c": WHERE}, "a": {"b": {"c": WHERE}}, "é": WHERE, "echo": ECHO}


def starlette_app() -> App:
    return Starlette(routes=[Mount("/rpc", RPCHandler(ROUTER))])


def fastapi_app() -> App:
    app = FastAPI()
    app.mount("/rpc", RPCHandler(ROUTER))
    return app


def nested_app() -> App:
    return Starlette(routes=[Mount("/rpc", Starlette(routes=[Mount("/", RPCHandler(ROUTER))]))])


@pytest.mark.parametrize(
    "app",
    [RPCHandler(ROUTER, prefix="/rpc"), starlette_app(), fastapi_app(), nested_app()],
    ids=["alone", "starlette", "fastapi", "nested"],
)
@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/rpc/a%2Fb/c", ["a/b", "c"]),
        ("/rpc/a/b/c", ["a", "b", "c"]),
        ("/rpc/a/b/c/", ["a", "b", "c"]),
        ("/rpc/%C3%A9", ["é"]),
        ("/rpc/x/../%C3%A9?y=/z", ["é"]),
    ],
)
async def test_slash_inside_a_name_stays_distinct_wherever_mounted(
    app: App, target: str, path: list[str]
) -> None:
    assert (await ask(app, target)).json() == {"json": path}


@pytest.mark.parametrize("target", ["/rpc/a%2fb/c", "/rpc/%61/b/c", "/rpc/nope", "/rpc/a%2Fb"])
async def test_other_spelling_of_a_path_is_not_found(target: str) -> None:
    answer = await ask(starlette_app(), target)

    assert (answer.status, answer.body) == (404, b"Not found")
    assert answer.headers["content-type"] == "text/plain"


async def test_mount_with_an_encoded_name_is_cut_off() -> None:
    app = Starlette(routes=[Mount("/my app/é", RPCHandler(ROUTER))])

    answer = await ask(app, "/my%20app/%C3%A9/a%2Fb/c")

    assert answer.json() == {"json": ["a/b", "c"]}


async def test_root_path_the_server_left_out_of_the_path_is_not_missed() -> None:
    answer = await ask(RPCHandler(ROUTER), "/a%2Fb/c", root_path="/behind/proxy")

    assert answer.json() == {"json": ["a/b", "c"]}


async def test_dot_segments_do_not_lead_out_of_the_mount() -> None:
    assert (await ask(RPCHandler(ROUTER), "/rpc/../echo", root_path="/rpc")).status == 404


async def test_server_without_raw_path_still_finds_plain_names() -> None:
    connection = Connection()
    scope = scope_of("POST", "/rpc/%C3%A9")
    del scope["raw_path"]

    await RPCHandler(ROUTER, prefix="/rpc")(scope, connection.receive, connection.send)

    assert connection.answer().json() == {"json": ["é"]}


async def test_prefix_adds_to_the_mount() -> None:
    app = Starlette(routes=[Mount("/api", RPCHandler(ROUTER, prefix="/v1/"))])

    assert (await ask(app, "/api/v1/a/b/c")).status == 200
    assert (await ask(app, "/api/a/b/c")).status == 404


async def test_single_procedure_answers_at_the_mount_itself() -> None:
    app = RPCHandler(rpc.handler(lambda: "root"), prefix="/rpc")

    assert (await ask(app, "/rpc")).json() == {"json": "root"}
    assert (await ask(app, "/rpc/")).json() == {"json": "root"}


async def test_answer_says_its_length() -> None:
    answer = await ask(RPCHandler(ROUTER), "/echo", '{"json":"é"}')

    assert answer.headers["content-length"] == str(len(answer.body))


async def test_head_runs_the_procedure_and_sends_no_body() -> None:
    answer = await ask(RPCHandler(ROUTER), "/echo", b"", method="HEAD")

    assert (answer.status, answer.body) == (200, b"")


async def test_context_function_can_reach_the_connection() -> None:
    def context(request: Request) -> dict[str, Any]:
        return {"port": request.transport["client"][1]}

    app = RPCHandler(rpc.handler(lambda ctx: ctx.context["port"]), context=context)

    assert (await ask(app, "/")).json() == {"json": 50000}


async def test_announced_length_over_the_limit_is_refused_before_reading() -> None:
    for announced in ("11", "9" * 30, "9" * 5000):
        connection = Connection([b"{}"])
        scope = scope_of("POST", "/echo", [("content-length", announced)])

        await RPCHandler(ROUTER, max_body_size=10)(scope, connection.receive, connection.send)

        error = connection.answer().error()
        assert (error["code"], error["status"]) == ("PAYLOAD_TOO_LARGE", 413)
        assert connection.chunks_read == 0


async def test_body_over_the_limit_is_refused_while_reading() -> None:
    connection = Connection([b"x" * 6] * 100)
    scope = scope_of("POST", "/echo", [("content-length", "3")])

    await RPCHandler(ROUTER, max_body_size=10)(scope, connection.receive, connection.send)

    assert connection.answer().error()["code"] == "PAYLOAD_TOO_LARGE"
    assert connection.chunks_read == 2


async def test_body_of_exactly_the_limit_is_read() -> None:
    answer = await ask(RPCHandler(ROUTER, max_body_size=10), "/echo", b'{"json":1}')

    assert answer.json() == {"json": 1}


async def test_small_body_limit_does_not_shrink_answers() -> None:
    app = RPCHandler(rpc.handler(lambda: "x" * 1000), max_body_size=10)

    assert (await ask(app, "/")).status == 200


async def test_limits_of_the_codec_are_the_applications_to_choose() -> None:
    app = RPCHandler(ROUTER, limits=Limits(max_depth=2))

    assert (await ask(app, "/echo", b'{"json":[[1]]}')).status == 200
    assert (await ask(app, "/echo", b'{"json":[[[1]]]}')).error()["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"max_body_size": 0}, "max_body_size"), ({"prefix": "rpc"}, "prefix: expected a path")],
)
def test_bad_option_is_refused_when_constructing(options: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RPCHandler(ROUTER, **options)


class Waiting:
    """A handler that waits for ever and knows how it ended."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended_by: BaseException | None = None

    def procedure(self) -> Procedure:
        return rpc.handler(self._wait)

    async def _wait(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            self.ended_by = error
            raise


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_caller_that_leaves_cancels_the_handler(method: str) -> None:
    waiting = Waiting()
    connection = Connection([b"{}"])
    app = RPCHandler(waiting.procedure(), strict_get=False)
    serving = asyncio.create_task(app(scope_of(method, "/"), connection.receive, connection.send))
    await waiting.started.wait()

    connection.hang_up.set()
    await serving

    assert isinstance(waiting.ended_by, asyncio.CancelledError)
    assert connection.sent == []


async def test_caller_that_leaves_while_sending_runs_nothing() -> None:
    waiting = Waiting()
    connection = Connection([b"{", b"}"])
    connection.hang_up.set()
    messages = [await connection.receive(), {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    await RPCHandler(waiting.procedure())(scope_of("POST", "/"), receive, connection.send)

    assert not waiting.started.is_set()
    assert connection.sent == []


async def test_server_that_shuts_down_cancels_the_handler() -> None:
    waiting = Waiting()
    connection = Connection([b"{}"])
    app = RPCHandler(waiting.procedure())
    serving = asyncio.create_task(app(scope_of("POST", "/"), connection.receive, connection.send))
    await waiting.started.wait()

    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving

    assert isinstance(waiting.ended_by, asyncio.CancelledError)


async def test_answered_call_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()

    await ask(RPCHandler(ROUTER), "/echo")

    assert asyncio.all_tasks() == before


async def test_lifespan_is_acknowledged_when_alone() -> None:
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    connection = Connection()

    async def receive() -> Any:
        return incoming.pop(0)

    await RPCHandler(ROUTER)({"type": "lifespan"}, receive, connection.send)

    assert [message["type"] for message in connection.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_websocket_is_turned_away() -> None:
    connection = Connection()

    await RPCHandler(ROUTER)({"type": "websocket"}, connection.receive, connection.send)

    assert connection.sent == [{"type": "websocket.close", "code": 1000}]


async def test_unknown_kind_of_connection_is_an_error_of_the_server() -> None:
    connection = Connection()

    with pytest.raises(ValueError, match="'carrier-pigeon' is not served"):
        await RPCHandler(ROUTER)({"type": "carrier-pigeon"}, connection.receive, connection.send)
