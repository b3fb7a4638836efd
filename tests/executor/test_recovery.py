from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from durable_execution import (
    DurableExecutor,
    ParentTaskOutput,
    ParentTaskResult,
    Storage,
    Task,
    TaskContext,
    Tasks,
    child_task,
)
from tests.conftest import OPTIONS
from tests.executor.crash import crash
from tests.executor.faulty_storage import FaultyStorage

SHORT = replace(OPTIONS, lease=1.2, poll_interval=0.1, max_crash_recoveries=1)


class Bench:
    """A task that hangs for as long as `is_open` is not set, and who began it."""

    def __init__(self) -> None:
        self.tasks = Tasks()
        self.begun = asyncio.Event()
        self.is_open = False
        self.attempts: list[int] = []
        self.work: Task[int, int] = self.tasks.task(id="work")(self._work)

    async def _work(self, ctx: TaskContext, number: int) -> int:
        self.attempts.append(ctx.attempt)
        self.begun.set()
        if not self.is_open:
            await asyncio.Event().wait()
        return number


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
async def doomed(storage: Storage, bench: Bench) -> DurableExecutor:
    executor = DurableExecutor(storage, SHORT)
    executor.include(bench.tasks)
    await executor.start()
    return executor


@pytest.fixture
async def survivor(storage: Storage, bench: Bench) -> AsyncIterator[DurableExecutor]:
    executor = DurableExecutor(storage.sibling(), SHORT)
    executor.include(bench.tasks)
    async with executor:
        yield executor


async def _begin(executor: DurableExecutor, bench: Bench) -> str:
    """Enqueue the task and return its id once it runs on this executor."""
    bench.begun.clear()
    handle = await executor.enqueue_task(bench.work, 5)
    await bench.begun.wait()
    return handle.execution_id


async def test_the_work_of_a_dead_executor_is_taken_over_within_the_lease(
    doomed: DurableExecutor, storage: Storage, bench: Bench
) -> None:
    execution_id = await _begin(doomed, bench)
    bench.is_open = True
    await crash(doomed)
    survivor = DurableExecutor(storage.sibling(), SHORT)
    survivor.include(bench.tasks)
    async with survivor:
        handle = await survivor.get_task_execution_handle(bench.work, execution_id)
        begun = time.monotonic()
        execution = await handle.wait_and_get_finished_execution()
        # A lease and the beat of the other; the rest is this machine's.
        assert time.monotonic() - begun < 10
    assert (execution.status, execution.attempt) == ("completed", 0)
    assert bench.attempts == [0, 0]


async def test_work_that_kills_its_executors_is_failed_and_says_so(
    doomed: DurableExecutor, storage: Storage, bench: Bench
) -> None:
    execution_id = await _begin(doomed, bench)
    for _ in range(2):
        bench.begun.clear()
        await crash(doomed)
        doomed = DurableExecutor(storage.sibling(), SHORT)
        doomed.include(bench.tasks)
        await doomed.start()
        handle = await doomed.get_task_execution_handle(bench.work, execution_id)
        if len(bench.attempts) == 1:
            await bench.begun.wait()
    execution = await handle.wait_and_get_finished_execution()
    await doomed.shutdown()
    assert execution.status == "failed"
    assert execution.error.message.startswith("Executor crashed or lost its lease 2 times")
    assert execution.error.is_internal
    assert bench.attempts == [0, 0]


async def test_a_parent_that_a_crash_left_is_joined(
    doomed: DurableExecutor, storage: Storage, bench: Bench
) -> None:
    async def total(ctx: TaskContext, result: ParentTaskResult[None]) -> int:
        return sum(result.outputs_of(bench.work))

    @bench.tasks.parent_task(finalize=total)
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(bench.work, number) for number in (1, 2)])

    doomed.include(bench.tasks)
    handle = await doomed.enqueue_task(parent)
    await bench.begun.wait()
    bench.is_open = True
    await crash(doomed)
    survivor = DurableExecutor(storage.sibling(), SHORT)
    survivor.include(bench.tasks)
    async with survivor:
        found = await survivor.get_task_execution_handle(parent, handle.execution_id)
        assert await found.result() == 3


async def test_an_attempt_that_was_rescued_elsewhere_is_stopped_and_its_outcome_rejected(
    storage: Storage, bench: Bench
) -> None:
    faulty = FaultyStorage(storage)
    cut_off = DurableExecutor(faulty, SHORT)
    cut_off.include(bench.tasks)
    outcomes: list[str] = []

    @cut_off.task
    async def stubborn(ctx: TaskContext) -> str:
        outcomes.append(ctx.execution_id)
        if len(outcomes) == 1:
            bench.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "of the one cut off"
        return "of the rescuer"

    rescuer = DurableExecutor(storage.sibling(), SHORT)
    rescuer.add(stubborn)
    async with cut_off:
        handle = await cut_off.enqueue_task(stubborn)
        await bench.begun.wait()
        faulty.fail_before("heartbeat", times=1000)
        faulty.fail_before("claim", times=1000)
        async with rescuer:
            found = await rescuer.get_task_execution_handle(stubborn, handle.execution_id)
            assert await found.result() == "of the rescuer"
        assert cut_off.running_task_executions_count == 0
        assert await handle.result() == "of the rescuer"
        faulty.recover()


async def test_an_attempt_cancelled_from_elsewhere_stops_within_a_beat(
    doomed: DurableExecutor, survivor: DurableExecutor, bench: Bench
) -> None:
    stopped = asyncio.Event()

    @doomed.task
    async def only_here(ctx: TaskContext) -> None:
        bench.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    handle = await doomed.enqueue_task(only_here)
    await bench.begun.wait()
    survivor.add(only_here)
    found = await survivor.get_task_execution_handle(only_here, handle.execution_id)
    await found.cancel()
    await stopped.wait()
    assert (await handle.get_execution()).status == "cancelled"
    await doomed.shutdown()


async def test_a_blocked_loop_keeps_its_lease(
    storage: Storage, survivor: DurableExecutor, bench: Bench
) -> None:
    blocking = DurableExecutor(storage.sibling(), SHORT)
    runs: list[str] = []

    @blocking.task
    async def block(ctx: TaskContext) -> str:
        runs.append(ctx.execution_id)
        time.sleep(2.4)  # what must not be done on an event loop, for two leases
        return "done"

    async with blocking:
        assert await (await blocking.enqueue_task(block)).result() == "done"
    assert len(runs) == 1


async def test_a_loop_blocked_for_too_long_is_named_and_loses_its_lease(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    options = replace(SHORT, lease=0.5, loop_stall_timeout=0.2)
    caplog.set_level(logging.ERROR)
    async with DurableExecutor(storage, options) as executor:

        @executor.task
        async def block(ctx: TaskContext) -> str:
            time.sleep(0.9)  # what must not be done on an event loop, for longer than allowed
            return "done"

        await (await executor.enqueue_task(block)).wait_and_get_finished_execution()
    messages = [record.getMessage() for record in caplog.records]
    stalls = [message for message in messages if "event loop has not answered" in message]
    assert len(stalls) == 1
    assert "held by block te_" in stalls[0]
    assert "time.sleep(0.9)" in stalls[0]
