"""Executors on MariaDB that hear of one another by bells, and those that do not."""

from __future__ import annotations

import asyncio

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, Tasks, open_storage
from durable_execution._engine import pace
from durable_execution.storage import SqlStorage
from durable_execution.storage.sql.mysql_bells import bells_of, take_bell
from durable_execution.storage.sql.mysql_connection import connect
from durable_execution.storage.sql.mysql_driver import MySqlDriver
from durable_execution.storage.sql.mysql_url import read_url
from tests.servers.mariadb_fixtures import MariaDb

WORKER = ExecutorOptions(poll_interval=60, shutdown_timeout=2)
CLIENT = ExecutorOptions(poll_interval=60, max_concurrent_task_executions=0)
PATIENCE = 20.0

tasks = Tasks()


@tasks.task
async def double(ctx: TaskContext, number: int) -> int:
    return 2 * number


@pytest.fixture
def url(mariadb: MariaDb) -> str:
    return mariadb.new_url()


def an_executor(url: str, options: ExecutorOptions) -> DurableExecutor:
    executor = DurableExecutor(open_storage(url), options)
    executor.include(tasks)
    return executor


async def until_listening(executor: DurableExecutor) -> None:
    storage = executor.storage
    assert isinstance(storage, SqlStorage)
    assert isinstance(storage._driver, MySqlDriver)
    async with asyncio.timeout(PATIENCE):
        while any(listener.pid is None for listener in storage._driver._listeners):
            await asyncio.sleep(0.01)


async def test_work_and_results_are_rung_for_where_nobody_looks(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(pace, "UNTOLD_INTERVAL", 60.0)
    monkeypatch.setattr(pace, "CALM_INTERVAL", 60.0)
    async with an_executor(url, WORKER) as worker, an_executor(url, CLIENT) as client:
        await until_listening(worker)
        await until_listening(client)
        for number in range(5):
            enqueued = await client.enqueue_task(double, number)
            assert await enqueued.result(timeout=PATIENCE) == 2 * number


async def test_who_is_not_rung_looks_closely_while_there_is_something_to_find(url: str) -> None:
    aside = await connect(read_url(url)[0])
    for name in bells_of(url.rpartition("/")[2], "durable_task_executions"):
        assert await take_bell(aside, [name]) == name
    async with an_executor(url, WORKER) as worker, an_executor(url, CLIENT) as client:
        for number in range(3):
            enqueued = await client.enqueue_task(double, number)
            assert await enqueued.result(timeout=PATIENCE) == 2 * number
        for executor in (worker, client):
            assert executor._engine is not None
            assert executor._engine.finishes._pace._surprised_at is not None
    aside.terminate()
