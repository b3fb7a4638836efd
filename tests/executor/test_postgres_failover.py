"""Executors at work while their PostgreSQL dies and its standby takes over.

The standby confirms every commit, as the guide to PostgreSQL asks for: what was acknowledged is
there. Executors find it by a URL that names both servers, or by a pooler that is pointed to it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TypeVar

import asyncpg
import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    StorageUnavailableError,
    TaskContext,
    TaskExecutionHandle,
    open_storage,
)
from tests.processes.arena import report
from tests.servers.fixtures import started
from tests.servers.pgbouncer import pgbouncer_before
from tests.servers.postgres import PostgresServer, system_binaries

T = TypeVar("T")
OPTIONS = ExecutorOptions(lease=30, shutdown_timeout=5)
ENOUGH = 25
WHY_NOT = "this machine has no PostgreSQL of its own"
CONFIRMED = {"synchronous_standby_names": "*"}


@pytest.fixture
def primary() -> Iterator[PostgresServer]:
    with started(system_binaries(), WHY_NOT, CONFIRMED) as server:
        yield server


@pytest.fixture
def standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    with started(system_binaries(), WHY_NOT, standby_of=primary) as server:
        yield server


@dataclass(frozen=True)
class Way:
    """How executors reach the database, and what is done when another server has it."""

    url: str
    lead_to: Callable[[str], None]


@contextmanager
def by_hosts(primary: PostgresServer, standby: PostgresServer) -> Iterator[Way]:
    # The standby first: it is there all the time, and takes no writes before.
    url = primary.url.replace("@", f"@127.0.0.1:{standby.port},")
    yield Way(url, lambda _: None)


@contextmanager
def by_pooler(primary: PostgresServer, standby: PostgresServer) -> Iterator[Way]:
    with pgbouncer_before(primary.url) as pooler:
        yield Way(pooler.url, pooler.point_to)


class Crowd:
    """Callers of one executor, who ask again while the database is away, until it is enough."""

    def __init__(self, executors: list[DurableExecutor]) -> None:
        self.is_enough = False
        self.acknowledged: set[str] = set()
        """Ids of enqueues that returned."""
        self.told: set[int] = set()
        """Numbers whose results were told."""
        self.runs: Counter[int] = Counter()

        async def double(ctx: TaskContext, number: int) -> int:
            self.runs[number] += 1
            await asyncio.sleep(0.005)
            return 2 * number

        (self._double, *_) = [executor.task(double) for executor in executors]
        self._executor = executors[0]
        self._numbers = count()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as callers:
            for _ in range(10):
                callers.create_task(self._call())

    async def until_told(self, more: int) -> None:
        """Wait until so many more results have been told."""
        enough = len(self.told) + more
        while len(self.told) < enough:
            await asyncio.sleep(0.01)

    async def _call(self) -> None:
        while not self.is_enough:
            number = next(self._numbers)
            handle = await patiently(partial(self._enqueue, number))
            self.acknowledged.add(handle.execution_id)
            assert await patiently(handle.result) == 2 * number
            self.told.add(number)

    async def _enqueue(self, number: int) -> TaskExecutionHandle[int]:
        return await self._executor.enqueue_task(self._double, number, key=str(number))


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await call()
        except StorageUnavailableError:
            await asyncio.sleep(0.05)  # the executor itself has waited two seconds


@pytest.mark.parametrize("way", [by_hosts, by_pooler], ids=["hosts", "pooler"])
async def test_nothing_acknowledged_is_lost_when_a_standby_takes_over(
    primary: PostgresServer,
    standby: PostgresServer,
    way: Callable[[PostgresServer, PostgresServer], AbstractContextManager[Way]],
) -> None:
    with way(primary, standby) as found:
        executors = [DurableExecutor(open_storage(found.url), OPTIONS) for _ in range(2)]
        crowd = Crowd(executors)
        async with executors[0], executors[1], asyncio.timeout(90):
            running = asyncio.create_task(crowd.run())
            await crowd.until_told(ENOUGH)
            await asyncio.to_thread(primary.stop, is_crash=True)
            told, runs = set(crowd.told), crowd.runs.copy()
            await asyncio.to_thread(standby.promote)
            found.lead_to(standby.url)
            promoted_at = time.monotonic()
            await crowd.until_told(1)
            report(f"work again after {time.monotonic() - promoted_at:.2f} s")
            await crowd.until_told(ENOUGH)
            crowd.is_enough = True
            await running
    statuses = await rows(standby.url)
    assert statuses == dict.fromkeys(crowd.acknowledged, "completed")
    assert len(statuses) == len(crowd.told), "a key was used twice"
    assert all(crowd.runs[number] == runs[number] for number in told), "it had finished before"


async def rows(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch("SELECT execution_id, status FROM durable_task_executions")
    finally:
        await connection.close()
    return {row["execution_id"]: row["status"] for row in found}
