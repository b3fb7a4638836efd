"""Looking at executions whose outcome is being written at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from durable_execution import DurableExecutor, TaskContext, Tasks
from durable_execution._core.patch import Transition
from durable_execution._engine import running
from durable_execution.errors import StorageUnavailableError
from durable_execution.storage.memory import InMemoryStorage
from durable_execution.storage.protocol import Applied
from tests.conftest import OPTIONS

tasks = Tasks()


@tasks.task(id="quick")
async def quick(ctx: TaskContext) -> None: ...


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test on a slow machine must not find that the write took too long."""
    monkeypatch.setattr(running, "LONGEST_WRITE", 30.0)


class SlowStorage(InMemoryStorage):
    """Writes outcomes when it is told to, or refuses the first."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun = asyncio.Event()
        self.may_write = asyncio.Event()
        self.refuses_first = False

    async def apply(self, transitions: Sequence[Transition]) -> Applied:
        self.has_begun.set()
        await self.may_write.wait()
        if self.refuses_first:
            self.refuses_first = False
            raise StorageUnavailableError("not yet")
        return await super().apply(transitions)


@asynccontextmanager
async def looking_amid_a_write(
    storage: SlowStorage,
) -> AsyncIterator[asyncio.Task[str]]:
    async with DurableExecutor(storage, OPTIONS) as executor:
        executor.include(tasks)
        handle = await executor.enqueue_task(quick)
        await storage.has_begun.wait()

        async def look() -> str:
            stored = await executor.get_stored_task_execution(quick, handle.execution_id)
            return stored.record.status

        yield asyncio.create_task(look())
        storage.may_write.set()
        await handle.wait_and_get_finished_execution()
        assert await look() == "completed"


@pytest.mark.usefixtures("patience")
async def test_outcome_that_is_being_written_is_waited_for() -> None:
    storage = SlowStorage()
    async with looking_amid_a_write(storage) as look:
        for _ in range(20):
            await asyncio.sleep(0)
        assert not look.done()
        storage.may_write.set()
        assert await look == "completed"


async def test_write_that_takes_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LONGEST_WRITE", 0.0)
    async with looking_amid_a_write(SlowStorage()) as look:
        assert await look == "running"


@pytest.mark.usefixtures("patience")
async def test_write_that_is_refused_and_repeated_is_waited_for() -> None:
    storage = SlowStorage()
    storage.refuses_first = True
    async with looking_amid_a_write(storage) as look:
        storage.may_write.set()
        assert await look == "completed"
