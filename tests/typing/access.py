"""What the type checkers must say of locks. Checked, never run; see `api.py` for how."""

from __future__ import annotations

from typing import assert_type

from durable_execution import DurableExecutor, InMemoryStorage
from durable_execution.orpc import Router
from durable_execution.server import (
    FULL_ACCESS,
    Access,
    Authenticator,
    BearerToken,
    BearerTokens,
    Bounds,
    Caller,
    Guard,
    Request,
    RPCHandler,
    create_dashboard,
    create_executor_app,
    create_operators_router,
    rpc,
    secrets_from_env,
)


class Everybody:
    async def authenticate(self, request: Request) -> Caller | None:
        assert_type(request.header("authorization"), str | None)
        return Caller(name="everybody", access=FULL_ACCESS)


class NotAsync:
    def authenticate(self, request: Request) -> Caller | None:
        return None


executor = DurableExecutor(InMemoryStorage())
handler = RPCHandler({"ping": rpc.handler(lambda: "pong")})
tokens = BearerTokens(
    {"web-app": BearerToken(secrets_from_env("X"), access=Access(tasks="a", procedures={"b"}))}
)
authenticators: list[Authenticator] = [tokens, Everybody()]
create_executor_app(executor, {"/rpc": handler}, auth=tokens, bounds=Bounds(calls=1))
create_executor_app(executor, {"/ui": create_dashboard(executor, auth=tokens, hosts=["a"])})
create_executor_app(executor, {"/rpc": Guard(handler, auth=Everybody())}, open_mounts={"/rpc"})

Access(tasks=(), procedures=(), metrics=True)
assert_type(create_operators_router(rpc, executor, {}), Router)

Access(tasks="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
BearerToken("x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Guard(handler, auth=NotAsync())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Guard(handler)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
