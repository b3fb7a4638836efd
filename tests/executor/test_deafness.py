"""An executor whose listening connection is cut: it says so, and looks often meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, Tasks, open_storage
from durable_execution.orpc import AsgiSender, Request
from durable_execution.server import create_executor_app
from durable_execution.storage.sql import hearing
from tests.servers.fixtures import Postgres
from tests.servers.postgres import PostgresServer

WORKER = ExecutorOptions(poll_interval=60, shutdown_timeout=2)
CLIENT = ExecutorOptions(poll_interval=60, max_concurrent_task_executions=0)
PATIENCE = 20.0

tasks = Tasks()


@tasks.task
async def double(ctx: TaskContext, number: int) -> int:
    return 2 * number


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_url()


@pytest.fixture
async def worker(url: str) -> AsyncIterator[DurableExecutor]:
    async with an_executor(url, WORKER) as executor:
        yield executor


@pytest.fixture
async def client(url: str, worker: DurableExecutor) -> AsyncIterator[DurableExecutor]:
    async with an_executor(url, CLIENT) as executor:
        yield executor


def an_executor(url: str, options: ExecutorOptions) -> DurableExecutor:
    executor = DurableExecutor(open_storage(url), options)
    executor.include(tasks)
    return executor


async def cut_listeners(url: str) -> None:
    connection = await asyncpg.connect(url.partition("?")[0])
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    )
    assert await connection.fetchval(query) >= 1
    await connection.close()


async def until_hearing(executor: DurableExecutor, hearing: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while executor.hearing != hearing:
            await asyncio.sleep(0.01)


async def health(app: Any) -> tuple[int, dict[str, str]]:
    request = Request("GET", "/healthz", origin="http://executor")
    response = await AsgiSender(app).send(request, max_response_size=1000)
    return response.status, json.loads(response.body)


async def test_listener_that_is_cut_is_made_again_and_work_is_heard_of(
    url: str, worker: DurableExecutor, client: DurableExecutor
) -> None:
    assert await (await client.enqueue_task(double, 1)).result(timeout=30) == 2
    for number in range(3):
        await until_hearing(worker, "told")
        await cut_listeners(url)
        await until_hearing(worker, "deaf")
        await until_hearing(worker, "told")
        await until_hearing(client, "told")
        # Nobody polls in that time.
        assert await (await client.enqueue_task(double, number)).result(timeout=30) == 2 * number


async def test_who_is_deaf_looks_every_second_for_the_work_of_others(
    url: str,
    worker: DurableExecutor,
    client: DurableExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # From now on nobody listens again, and both poll once a minute where they hear.
    monkeypatch.setattr(hearing, "LONGEST_PAUSE", 3600)
    await until_hearing(worker, "told")
    await until_hearing(client, "told")
    for listener in (*worker._storage._driver._listeners, *client._storage._driver._listeners):
        monkeypatch.setattr(listener, "_connect", refuse)
    await cut_listeners(url)
    await until_hearing(worker, "deaf")
    await until_hearing(client, "deaf")
    assert await (await client.enqueue_task(double, 21)).result(timeout=PATIENCE) == 42


async def refuse() -> None:
    raise ConnectionRefusedError("nobody listens any more")


async def test_health_says_that_the_storage_is_not_heard(postgres_server: PostgresServer) -> None:
    executor = an_executor(postgres_server.url, WORKER)
    app = create_executor_app(executor, {})
    async with app.router.lifespan_context(app):
        await until_hearing(executor, "told")
        assert await health(app) == (200, {"status": "ok", "hearing": "told"})
        await asyncio.to_thread(postgres_server.stop)
        await until_hearing(executor, "deaf")
        status, body = await health(app)
        assert (status, body["status"], body["hearing"]) == (200, "ok", "deaf")
        assert "polling until it is back" in body["reason"]
        await asyncio.to_thread(postgres_server.start)
        await until_hearing(executor, "told")
        assert await health(app) == (200, {"status": "ok", "hearing": "told"})
