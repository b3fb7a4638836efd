"""What is the same on every database server, and no matter for the contract."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec
import pytest

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, Tasks
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StorageError, StorageUnavailableError
from durable_execution.storage import open_storage
from durable_execution.testing.storage_suite import Harness
from tests.storage.on_server import harness, statements

__all__ = ["harness", "statements"]

SERVERS = {
    "postgresql": "postgres",
    "system's postgresql": "system_postgres",
    "mariadb": "mariadb",
}
CALM = ExecutorOptions(lease=30, poll_interval=0.5)


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(SERVERS[request.param]).new_url()
    return url


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
async def test_ten_executors_start_at_once_on_an_empty_database(
    request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('tmp_path')}/t.db"
    else:
        url = request.getfixturevalue(SERVERS[kind]).new_url()
    tasks = Tasks()

    @tasks.task
    async def double(ctx: TaskContext, number: int) -> int:
        return 2 * number

    executors = [DurableExecutor(open_storage(url), CALM) for _ in range(10)]
    for executor in executors:
        executor.include(tasks)
    async with AsyncExitStack() as stack:
        await asyncio.gather(*map(stack.enter_async_context, executors))
        handles = [await each.enqueue_task(double, 21) for each in executors]
        assert [await each.result(timeout=30) for each in handles] == [42] * 10


def _broken(row: ExecutionRecord) -> list[ExecutionRecord]:
    replace = msgspec.structs.replace
    return [
        replace(row, status="unheard of"),
        replace(row, finished_at=1),
        replace(row, active_children_count=1),
        replace(row, status="running"),
        replace(row, status="completed"),
        replace(row, status="failed", finished_at=1),
        replace(row, sleeping_unique_id="a sleeper is never ready"),
    ]


async def test_rows_that_break_an_invariant_are_refused(harness: Harness) -> None:
    for broken in _broken(harness.records.root(1)):
        neighbour = harness.records.root(1)
        with pytest.raises(StorageError, match="would break an invariant") as raised:
            await harness.storage.insert([neighbour, broken])
        assert not isinstance(raised.value, StorageUnavailableError)
        assert await harness.storage.get([neighbour.execution_id]) == [None]


@pytest.mark.parametrize(
    "change",
    [{"timeout_ms": 2**63}, {"task_id": "\ud800"}, {"index_in_parent": 2**31}],
    ids=ascii,
)
async def test_values_that_do_not_fit_are_refused(
    harness: Harness, change: dict[str, object]
) -> None:
    row = msgspec.structs.replace(harness.records.root(1), **change)
    with pytest.raises(StorageError, match="a value cannot be stored") as raised:
        await harness.storage.insert([row])
    assert not isinstance(raised.value, StorageUnavailableError)
    await harness.insert_roots(1)


async def test_lease_ends_by_the_database_clock(harness: Harness) -> None:
    await harness.register(lease_ms=50)
    (row,) = await harness.insert_roots(1)
    (claimed,) = (await harness.claim()).records
    await harness.advance(60)
    assert await harness.storage.orphans(10) == [claimed]
    await harness.insert_roots(1)
    assert (await harness.claim()).records == ()
    assert row.execution_id == claimed.execution_id


async def test_another_event_loop_needs_a_sibling(harness: Harness) -> None:
    (row,) = await harness.insert_roots(1)

    def ask() -> None:
        asyncio.run(harness.storage.get([row.execution_id]))

    with pytest.raises(StorageError, match=r"another event loop: use storage.sibling\(\)"):
        await asyncio.to_thread(ask)


async def test_connections_are_at_most_the_pool(url: str) -> None:
    end = f"{'&' if '?' in url else '?'}pool_size=2"
    storage = open_storage(url + end)
    await storage.open()
    pool = storage._driver._pool
    assert pool is not None
    await asyncio.gather(*[storage.get(["x"]) for _ in range(50)])
    assert len(pool._pids) == 2
    await storage.close()
    assert pool._pids == {}
