"""Executor servers that are killed under their clients, who go on with the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from durable_execution.client import (
    RPCLink,
    TaskClientHandle,
    create_orpc_client,
    create_task_client_handles,
    declare_task,
)
from tests.cli.served import APPLICATION, Served, served
from tests.remote.wires import Proxy

pytestmark = pytest.mark.processes

ROUTER = """
from durable_execution.server import create_tasks_router, rpc

@executor.task
async def report(ctx: TaskContext, seconds: float) -> str:
    ctx.progress(0.5, "half way")
    await asyncio.sleep(seconds)
    return "reported"

router = create_tasks_router(rpc, executor, {"report": report})
app = create_executor_app(executor, {"/rpc": RPCHandler(router)})
"""
report = declare_task("report", input=float, output=str)


def port_of(server: Served) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """Two servers on one database."""
    (tmp_path / "served_app.py").write_text(APPLICATION + ROUTER)
    with served(tmp_path) as first, served(tmp_path) as second:
        yield first, second


@asynccontextmanager
async def handle_behind(proxy: Proxy) -> AsyncIterator[TaskClientHandle[float, str]]:
    async with proxy.run() as url, RPCLink(url) as link:
        yield create_task_client_handles(create_orpc_client(link), {"report": report})[report]


async def test_enqueue_whose_server_is_killed_after_the_commit_is_one_execution(
    servers: tuple[Served, Served],
) -> None:
    first, second = servers

    def kill() -> None:
        first.process.kill()
        proxy.upstream = port_of(second)

    proxy = Proxy(port_of(first), kill)
    proxy.answers_to_cut = 1
    async with handle_behind(proxy) as handle:
        execution_id = await handle.enqueue(0.0)

        assert await handle.result(execution_id, timeout=20) == "reported"
        page = await handle.list()
    assert [each.execution_id for each in page.executions] == [execution_id]
    assert first.process.wait(10) == -9


async def test_those_who_wait_and_watch_go_on_with_the_next_server(
    servers: tuple[Served, Served],
) -> None:
    first, second = servers
    proxy = Proxy(port_of(first))
    async with handle_behind(proxy) as handle:
        execution_id = await handle.enqueue(1.0)
        waiting = asyncio.create_task(handle.result(execution_id, timeout=30))
        seen = []
        async with asyncio.timeout(30), handle.watch(execution_id) as changes:
            async for change in changes:
                seen.append(change)
                if change.type == "progress" and proxy.upstream == port_of(first):
                    proxy.upstream = port_of(second)
                    first.process.kill()

        assert await waiting == "reported"
    last = seen[-1]
    assert last.type == "status"
    assert last.execution.status == "completed"
    assert len({each.id for each in seen}) == len(seen)
    # The heir's attempt tells its own progress: the first one's was lost with its executor's lease.
    assert [each.progress.message for each in seen if each.type == "progress"] == ["half way"] * 2
