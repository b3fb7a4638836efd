"""The header a page of another origin cannot send."""

from __future__ import annotations

from durable_execution.orpc import (
    AsgiSender,
    ORPCError,
    RPCHandler,
    RPCLink,
    SimpleCsrfProtectionPlugin,
    create_orpc_client,
    rpc,
    safe,
)
from tests.orpc._server.driver import ask

ROUTER = {"ping": rpc.handler(lambda: "pong"), "hooks": {"paid": rpc.handler(lambda: "ok")}}


async def test_link_sends_the_header_when_told_to() -> None:
    app = RPCHandler(ROUTER, plugins=[SimpleCsrfProtectionPlugin()])

    async with (
        RPCLink("http://test", sender=AsgiSender(app), csrf=True) as protected,
        RPCLink("http://test", sender=AsgiSender(app)) as plain,
    ):
        assert await create_orpc_client(protected).ping() == "pong"
        error = (await safe(create_orpc_client(plain).ping())).error
    assert isinstance(error, ORPCError)
    assert (error.code, error.status) == ("CSRF_TOKEN_MISMATCH", 403)


async def test_other_header_and_value_and_an_exception() -> None:
    plugin = SimpleCsrfProtectionPlugin(
        header_name="X-Own", header_value="yes", exclude=lambda path: path[0] == "hooks"
    )
    app = RPCHandler(ROUTER, plugins=[plugin])

    assert (await ask(app, "/ping", headers=[("x-own", "yes")])).status == 200
    assert (await ask(app, "/ping", headers=[("x-own", "orpc")])).status == 403
    assert (await ask(app, "/ping", headers=[("x-csrf-token", "orpc")])).status == 403
    assert (await ask(app, "/hooks/paid")).status == 200


async def test_get_needs_the_header_too() -> None:
    readable = {"ping": rpc.route(method="GET").handler(lambda: "pong")}
    app = RPCHandler(readable, plugins=[SimpleCsrfProtectionPlugin()])

    assert (await ask(app, "/ping", method="GET")).status == 403
