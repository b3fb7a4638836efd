"""Work of every kind on every storage, done by one executor, or shared by four."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, FoundTaskExecution, open_storage
from durable_execution.storage import Storage
from tests.processes.books import ATTEMPTS, WITHOUT_CODE
from tests.processes.effects import VARIABLE, read_effects
from tests.processes.load import check_endings, enqueue_every_kind, sign_contracts
from tests.processes.tasks import tasks

NUMBERS = range(8)
# Executors on one storage in memory find each other's work by polling alone.
CALLER = ExecutorOptions(max_concurrent_task_executions=0, poll_interval=0.1, lease=30)
WORKER = ExecutorOptions(max_concurrent_task_executions=3, poll_interval=0.1, lease=30)
SERVERS = {
    "postgresql": "postgres",
    "system's postgresql": "system_postgres",
    "mariadb": "mariadb",
}


@pytest.fixture(params=["memory", "sqlite", *SERVERS])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param in SERVERS:
        return open_storage(request.getfixturevalue(SERVERS[request.param]).new_url())
    memory_or_file = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/t.db"}
    return open_storage(memory_or_file[request.param])


@pytest.fixture
def effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    log = tmp_path / "effects.log"
    monkeypatch.setenv(VARIABLE, str(log))
    return log


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def an_executor(storage: Storage, options: ExecutorOptions) -> DurableExecutor:
    executor = DurableExecutor(storage, options)
    executor.include(tasks)
    return executor


@pytest.mark.parametrize("workers", [1, 4])
async def test_every_kind_of_work_ends_as_it_must(
    storage: Storage, effects: Path, stack: AsyncExitStack, workers: int
) -> None:
    caller = await stack.enter_async_context(an_executor(storage, CALLER))
    for _ in range(workers):
        await stack.enter_async_context(an_executor(storage.sibling(), WORKER))
    enqueued = await enqueue_every_kind(caller, NUMBERS)
    await asyncio.gather(sign_contracts(caller, NUMBERS), check_endings(enqueued, timeout=60))

    found = [each async for each in everything(caller)]
    assert all(each.finished_at is not None for each in found)
    assert all(each.active_children_count == 0 for each in found)
    assert len({each.executor_id for each in found if each.executor_id}) == workers
    # Nobody died, so every attempt ran once, whoever ran it.
    attempts = Counter(effect.execution_id for effect in read_effects(effects))
    for each in found:
        has_code = each.task_id not in WITHOUT_CODE and not each.sleeping_task_unique_id
        expected = 1 + ATTEMPTS.get(each.task_id, 0) if has_code else 0
        assert attempts[each.execution_id] == expected, each


async def everything(executor: DurableExecutor) -> AsyncIterator[FoundTaskExecution]:
    cursor = None
    while True:
        page = await executor.search_task_executions(cursor=cursor, limit=1000)
        for each in page.executions:
            yield each
        cursor = page.next_cursor
        if cursor is None:
            return
