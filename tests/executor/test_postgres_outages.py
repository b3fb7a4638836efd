"""An executor at work while its PostgreSQL goes away and comes back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine

import asyncpg
import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    StorageUnavailableError,
    TaskContext,
    open_storage,
)
from durable_execution.orpc import AsgiSender, Request
from durable_execution.server import create_executor_app
from tests.servers.fixtures import Postgres
from tests.servers.postgres import PostgresServer

OPTIONS = ExecutorOptions(lease=10, poll_interval=60, shutdown_timeout=2)
TASKS = 400
RESUMES_WITHIN = 5.0
Trouble = Callable[[], Coroutine[None, None, None]]


class Load:
    """Callers that enqueue tasks and parents, and wait for their results."""

    def __init__(self, executor: DurableExecutor) -> None:
        self.finished: list[float] = []
        self.runs: Counter[int] = Counter()

        @executor.task
        async def double(ctx: TaskContext, number: int) -> int:
            self.runs[number] += 1
            await asyncio.sleep(0.005)
            return 2 * number

        self._executor = executor
        self._double = double
        self._sequence = executor.sequential_tasks("twice", [double, double])

    async def run(self) -> None:
        numbers = iter(range(TASKS))

        async def caller() -> None:
            for number in numbers:
                is_long = number % 5 == 0
                task, result = (self._sequence, 4) if is_long else (self._double, 2)
                handle = await self._executor.enqueue_task(task, number)
                assert await handle.result() == result * number
                self.finished.append(time.monotonic())

        async with asyncio.TaskGroup() as callers:
            for _ in range(20):
                callers.create_task(caller())


async def _led_through(url: str, trouble: Trouble) -> tuple[Load, float]:
    """Put load on an executor, and trouble on its database; return when that was over."""
    executor = DurableExecutor(open_storage(url), OPTIONS)
    load = Load(executor)
    async with executor, asyncio.timeout(60):
        running = asyncio.create_task(load.run())
        while len(load.finished) < TASKS // 8:
            await asyncio.sleep(0.01)
        await trouble()
        over = time.monotonic()
        await running
    return load, over


async def _rows(url: str) -> dict[str, int]:
    plain, _, schema = url.partition("?schema=")
    connection = await asyncpg.connect(plain, server_settings={"search_path": schema or "public"})
    query = "SELECT status, count(*) FROM durable_task_executions GROUP BY status"
    found = {row[0]: row[1] for row in await connection.fetch(query)}
    await connection.close()
    return found


EXPECTED = TASKS + 2 * (TASKS // 5)
"""Every fifth is a sequence, which has two children."""


@pytest.mark.parametrize("is_crash", [False, True], ids=["stopped", "crashed"])
async def test_server_that_restarts_loses_nothing_and_work_resumes(
    postgres_server: PostgresServer, is_crash: bool
) -> None:
    async def restart() -> None:
        await asyncio.to_thread(postgres_server.stop, is_crash=is_crash)
        await asyncio.sleep(0.5)  # an outage that calls notice
        await asyncio.to_thread(postgres_server.start)

    load, over = await _led_through(postgres_server.url, restart)
    assert await _rows(postgres_server.url) == {"completed": EXPECTED}
    assert min(at for at in load.finished if at > over) - over < RESUMES_WITHIN


async def test_connections_that_are_killed_again_and_again(postgres: Postgres) -> None:
    url = postgres.new_url()

    async def kill() -> None:
        connection = await asyncpg.connect(postgres.url)
        for _ in range(10):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'durable-execution'"
            )
            await asyncio.sleep(0.05)  # some work in between
        await connection.close()

    load, over = await _led_through(url, kill)
    assert await _rows(url) == {"completed": EXPECTED}
    assert min(at for at in load.finished if at > over) - over < RESUMES_WITHIN
    assert sum(load.runs.values()) == EXPECTED - TASKS // 5, "an attempt ran twice"


async def test_health_is_bad_from_the_end_of_the_lease_until_there_is_one_again(
    postgres_server: PostgresServer,
) -> None:
    executor = DurableExecutor(open_storage(postgres_server.url), ExecutorOptions(lease=1))

    @executor.task
    async def double(ctx: TaskContext, number: int) -> int:
        return 2 * number

    app = create_executor_app(executor, {})
    request = Request("GET", "/healthz", origin="http://executor")

    async def until_health(status: int) -> None:
        async with asyncio.timeout(60):
            while (await AsgiSender(app).send(request, max_response_size=1000)).status != status:
                await asyncio.sleep(0.02)

    async with app.router.lifespan_context(app):
        await until_health(200)
        await asyncio.to_thread(postgres_server.stop, is_crash=True)
        with pytest.raises(StorageUnavailableError):
            await executor.enqueue_task(double, 1, key="one")
        await until_health(503)
        await asyncio.to_thread(postgres_server.start)
        await until_health(200)
        handle = await executor.enqueue_task(double, 1, key="one")
        assert await handle.result(timeout=60) == 2
