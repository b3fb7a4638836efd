from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, open_storage
from durable_execution._engine import pace
from tests.servers.fixtures import Postgres
from tests.servers.mariadb_fixtures import MariaDb

MEASURED_SECONDS = 6


@pytest.fixture
def statements() -> list[str]:
    return []


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/t.db"


@pytest.fixture
async def executor(url: str, statements: list[str]) -> AsyncIterator[DurableExecutor]:
    storage = open_storage(url, on_statement=statements.append)
    async with DurableExecutor(storage, ExecutorOptions()) as executor:
        yield executor


def _is_query(statement: str) -> bool:
    """Whether it asks for anything; transactions and `data_version` cost no look at a table."""
    return not statement.startswith(
        ("BEGIN", "START TRANSACTION", "SET ", "COMMIT", "PRAGMA", "ROLLBACK")
    )


async def test_idle_executors_ask_at_most_once_a_second(
    url: str, mariadb: MariaDb, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "CALM_AFTER", 0.1)  # as after a quarter of a minute
    urls = (url, mariadb.new_url(), postgres.new_url())
    for asked in await asyncio.gather(*map(_asked_when_idle, urls)):
        assert len(asked) <= MEASURED_SECONDS + 1, asked
        assert any("lease_expires_at" in statement for statement in asked), "it beats"


async def _asked_when_idle(url: str) -> list[str]:
    statements: list[str] = []
    storage = open_storage(url, on_statement=statements.append)
    async with DurableExecutor(storage, ExecutorOptions()) as executor:

        @executor.task
        async def work(ctx: TaskContext) -> None: ...

        await (await executor.enqueue_task(work)).result()
        async with asyncio.timeout(30):
            while sum(map(_is_beat, statements)) < 2:
                await asyncio.sleep(0.05)  # until the heart has opened connections of its own
        statements.clear()
        await asyncio.sleep(MEASURED_SECONDS)  # the silence is what is measured
        return list(filter(_is_query, statements))


def _is_beat(statement: str) -> bool:
    beats = ("INSERT INTO durable_executors", "UPDATE durable_executors SET lease_expires_at")
    return statement.startswith(beats)


async def test_a_thousand_who_wait_share_their_reads(
    executor: DurableExecutor, statements: list[str]
) -> None:
    gate = asyncio.Event()

    @executor.task
    async def work(ctx: TaskContext) -> None:
        await gate.wait()

    enqueued = await executor.enqueue_task(work)
    found = [
        await executor.get_task_execution_handle(work, enqueued.execution_id) for _ in range(10)
    ]
    statements.clear()
    waiting = [asyncio.ensure_future(handle.result()) for handle in found * 100]
    await asyncio.sleep(0.5)  # so many reads as there may be would come now
    reads = [each for each in statements if each.startswith("SELECT") and "execution_id" in each]
    assert len(reads) <= 5, statements
    gate.set()
    await asyncio.gather(*waiting)
