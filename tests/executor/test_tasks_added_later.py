"""Tasks that are added to an executor that runs: it does not poll, so it has to look at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from durable_execution import (
    DurableExecutor,
    ParentTaskOutput,
    Storage,
    TaskContext,
    TaskExecutionHandle,
    Tasks,
    child_task,
)
from tests.conftest import OPTIONS
from tests.executor.faulty_storage import FaultyStorage

tasks = Tasks()


@tasks.task
async def late(ctx: TaskContext) -> str:
    return "found"


bell = tasks.sleeping_task("bell")


@tasks.parent_task()
async def parent(ctx: TaskContext) -> ParentTaskOutput[str]:
    return ParentTaskOutput("joined", [child_task(bell, "doorbell")])


@pytest.mark.parametrize("is_included", [True, False])
async def test_what_waits_for_a_task_runs_as_soon_as_it_is_added(
    storage: Storage, is_included: bool
) -> None:
    async with DurableExecutor(storage, OPTIONS) as executor:
        waiting = await enqueue_late(storage)
        if is_included:
            executor.include(tasks)
        else:
            executor.add(late)
        handle: TaskExecutionHandle[str] = await executor.get_task_execution_handle(late, waiting)
        assert await handle.result() == "found"


async def test_a_parent_is_joined_as_soon_as_its_task_is_added(storage: Storage) -> None:
    first, second = (DurableExecutor(each, OPTIONS) for each in (storage, storage.sibling()))
    first.include(tasks)
    second.add(bell)
    async with first:
        handle = await first.enqueue_task(parent)
        while (await handle.get_execution()).status != "waiting_for_children":
            await asyncio.sleep(0.001)  # the claim is on its way
    async with second:
        await second.wakeup_sleeping_task_execution(bell, "doorbell", output=None)
        second.add(parent)
        found = await second.get_task_execution_handle(parent, handle.execution_id)
        assert (await found.result()).output == "joined"


async def test_other_executors_learn_of_it_with_the_next_beat(storage: Storage) -> None:
    faulty = FaultyStorage(storage)
    loop, has_beaten = asyncio.get_running_loop(), asyncio.Event()
    # A lease so long that no other beat comes meanwhile.
    async with DurableExecutor(faulty, replace(OPTIONS, lease=3600)) as executor:
        faulty.after_next("heartbeat", lambda: loop.call_soon_threadsafe(has_beaten.set))
        executor.add(late)
        await has_beaten.wait()
        assert await storage.known_task_ids() == {"late"}


async def enqueue_late(storage: Storage) -> str:
    """Enqueue by an executor that runs nothing, and has ended when this returns."""
    options = replace(OPTIONS, max_concurrent_task_executions=0)
    async with DurableExecutor(storage.sibling(), options) as observer:
        observer.add(late)
        return (await observer.enqueue_task(late)).execution_id
