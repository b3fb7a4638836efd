"""Streams that a guard cuts off when their time is over, and clients that go on all the same."""

from __future__ import annotations

import asyncio

import pytest

from durable_execution import DurableExecutor, InMemoryStorage, TaskContext
from durable_execution.access import FULL_ACCESS, BearerToken, BearerTokens, Bounds
from durable_execution.client import (
    RPCLink,
    create_orpc_client,
    create_task_client_handles,
    declare_task,
)
from durable_execution.server import RPCHandler, create_executor_app, create_tasks_router, rpc
from tests.served import served

TOKEN = "a-token-of-the-web-app"
STREAM_TIMEOUT = 0.3


@pytest.mark.parametrize(
    "bounds", [Bounds(stream_timeout=STREAM_TIMEOUT), Bounds()], ids=["cut", "whole"]
)
async def test_watching_goes_on_where_the_stream_was_cut(bounds: Bounds) -> None:
    executor = DurableExecutor(InMemoryStorage())

    @executor.task
    async def slow(ctx: TaskContext) -> str:
        for part in range(8):
            ctx.progress(part / 8)
            await asyncio.sleep(0.25)  # outlives several streams: real time of a real server
        return "done"

    app = create_executor_app(
        executor,
        {"/rpc": RPCHandler(create_tasks_router(rpc, executor, {"slow": slow}))},
        auth=BearerTokens({"app": BearerToken(TOKEN, access=FULL_ACCESS)}),
        bounds=bounds,
    )
    opened: list[str | None] = []
    entrance = app.router.entrance  # type: ignore[attr-defined]

    async def counting(scope: dict[str, object], receive: object, send: object) -> None:
        if scope["type"] == "http" and scope["path"] == "/rpc/watchTaskExecution":
            headers: list[tuple[bytes, bytes]] = scope["headers"]  # type: ignore[assignment]
            opened.append(dict(headers).get(b"last-event-id", b"").decode() or None)
        await entrance(scope, receive, send)

    app.router.entrance = counting  # type: ignore[attr-defined]
    task = declare_task("slow", input=None, output=str)
    with served(app) as origin:
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with RPCLink(f"{origin}/rpc", headers=headers) as link:
            handles = create_task_client_handles(create_orpc_client(link), {"slow": task})
            execution_id = await handles[task].enqueue()
            changes = [change async for change in handles[task].watch(execution_id)]

    last = changes[-1]
    assert last.type == "status"
    assert last.execution.status == "completed"
    assert last.execution.output == "done"
    ids = [change.id for change in changes]
    assert len(set(ids)) == len(ids)
    fractions = [change.progress.fraction for change in changes if change.type == "progress"]
    assert fractions == sorted(set(fractions))
    if bounds.stream_seconds == STREAM_TIMEOUT:
        assert len(opened) > 2
        assert None not in opened[1:]  # each one went on behind the last event
    else:
        assert opened == [None]
