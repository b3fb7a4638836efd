"""What people do with executors: enqueue, wait, wake up, cancel. And what they must be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_execution import (
    DuplicateSleepingIdError,
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
    StorageUnavailableError,
    TaskExecutionHandle,
)
from tests.simulation.workload import ROOTS, input_of, leaves, nap, tasks

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation

UNLUCKY = (ExecutorShutDownError, StorageUnavailableError)
"""What a caller must expect whenever the executor ends or the database is away."""


def enqueue(simulation: Simulation) -> None:
    """Have some process enqueue a tree and perhaps wait for it."""
    process = _someone(simulation)
    if process is None:
        return
    random = simulation.world.random
    known = [task_id for task_id in ROOTS if task_id in process.tasks]
    task_id = "poison" if random.random() < simulation.adversary.poison else random.choice(known)
    value = input_of(task_id, random)
    delay = random.choice((None, None, None, 0.5, 2))
    process.do(_enqueue(simulation, process, task_id, value, delay, waits=random.random() < 0.7))


def wake_up(simulation: Simulation) -> None:
    """Wake somebody who sleeps, or nobody."""
    process = _someone(simulation)
    if process is None:
        return
    random = simulation.world.random
    sleeping = [row for row in simulation.database.rows() if row.is_sleeping]
    unique_id = "nobody"
    if sleeping:
        unique_id = str(random.choice(sleeping).sleeping_unique_id)
    process.do(_wake_up(simulation, process, unique_id, is_good=random.random() < 0.7))


def cancel(simulation: Simulation) -> None:
    """Cancel some execution."""
    process = _someone(simulation)
    rows = [row for row in simulation.database.unfinished() if row.task_id in leaves or row.attempt]
    rows = rows or simulation.database.unfinished()
    if process is None or not rows:
        return
    row = simulation.world.random.choice(rows)
    if row.task_id in process.tasks:
        process.do(_cancel(simulation, process, row.task_id, row.execution_id))


async def _enqueue(
    simulation: Simulation,
    process: Process,
    task_id: str,
    value: Any,
    delay: float | None,
    *,
    waits: bool,
) -> None:
    try:
        handle = await process.executor.enqueue_task(tasks[task_id], value, sleep_before_run=delay)
    except (*UNLUCKY, DuplicateSleepingIdError):
        return
    process.note("enqueued", task_id, handle.execution_id[-6:])
    simulation.ledger.promise(handle.execution_id, task_id)
    if waits:
        await wait(simulation, process, handle)


async def wait(simulation: Simulation, process: Process, handle: TaskExecutionHandle[Any]) -> None:
    """Wait for an execution, and check that what one is told is true."""
    try:
        view = await handle.wait_and_get_finished_execution()
    except UNLUCKY:
        return
    row = simulation.database.shelf.get(handle.execution_id)
    assert row is not None
    assert row.is_finished, f"told of a finish that was not: {row}"
    assert view.status == row.status, (view, row)
    process.note("is told", handle.execution_id[-6:], view.status)


async def _wake_up(
    simulation: Simulation, process: Process, unique_id: str, *, is_good: bool
) -> None:
    try:
        if is_good:
            view = await process.executor.wakeup_sleeping_task_execution(
                nap, unique_id, output=unique_id
            )
        else:
            view = await process.executor.wakeup_sleeping_task_execution(
                nap, unique_id, status="failed", error="bad dream"
            )
    except (*UNLUCKY, DurableExecutionNotFoundError):
        return
    row = simulation.database.shelf.sleeping(unique_id)
    assert row is not None
    assert view.status == row.status, (view, row)


async def _cancel(
    simulation: Simulation, process: Process, task_id: str, execution_id: str
) -> None:
    try:
        handle = await process.executor.get_task_execution_handle(tasks[task_id], execution_id)
        await handle.cancel()
    except UNLUCKY:
        return
    row = simulation.database.shelf.get(execution_id)
    assert row is not None
    assert row.is_finished, f"cancelled and not finished: {row}"
    process.note("cancelled", execution_id[-6:])


def _someone(simulation: Simulation) -> Process | None:
    running = [process for process in simulation.processes if process.is_running]
    return simulation.world.random.choice(running) if running else None
