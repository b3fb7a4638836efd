"""What people do with executors: enqueue, wait, wake up, cancel, retry. And what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from durable_execution import (
    DuplicateSleepingIdError,
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
    IdempotencyConflictError,
    InvalidInputError,
    StorageUnavailableError,
    TaskExecutionHandle,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED
from tests.simulation.workload import ROOTS, input_of, leaves, nap, tasks

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation


class Options(NamedTuple):
    """How something is enqueued."""

    sleep_before_run: float | None
    key: str | None
    on_conflict: Literal["raise", "return"]
    tags: dict[str, str]


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
    options = Options(
        sleep_before_run=random.choice((None, None, None, 0.5, 2)),
        # Few keys, so that they meet; and few tags.
        key=f"key-{random.randrange(4)}" if random.random() < 0.3 else None,
        on_conflict=random.choice(("raise", "return")),
        tags={"shop": random.choice("ab")} if random.random() < 0.3 else {},
    )
    process.do(_enqueue(simulation, process, task_id, value, options, waits=random.random() < 0.7))


def delete(simulation: Simulation) -> None:
    """Delete some of what has finished."""
    process = _someone(simulation)
    if process is not None:
        random = simulation.world.random
        # Older than any call that is tried again: one whose answer was lost would else insert, and
        # have executed, what has run and was deleted already.
        age, limit = random.choice((12, 15, 20)), random.choice((1, 3, 1000))
        process.do(_delete(process, age, limit))


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


def retry(simulation: Simulation) -> None:
    """Retry something that has failed, perhaps twice at a moment."""
    random = simulation.world.random
    failed = [
        row
        for row in simulation.database.rows()
        if row.status in ERRORED and row.parent_execution_id is None
    ]
    if not failed:
        return
    row = random.choice(failed)
    for _ in range(random.choice((1, 1, 2))):
        process = _someone(simulation)
        if process is not None:
            process.do(_retry(simulation, process, row))


async def _enqueue(
    simulation: Simulation,
    process: Process,
    task_id: str,
    value: Any,
    options: Options,
    *,
    waits: bool,
) -> None:
    try:
        handle = await process.executor.enqueue_task(tasks[task_id], value, **options._asdict())
    except (*UNLUCKY, DuplicateSleepingIdError):
        return
    except IdempotencyConflictError as conflict:
        assert options.key is not None, "a conflict without a key"
        simulation.ledger.promise(conflict.execution_id, task_id, key=options.key)
        return
    process.note("enqueued", task_id, handle.execution_id[-6:])
    simulation.ledger.promise(handle.execution_id, task_id, key=options.key, tags=options.tags)
    if waits:
        await wait(simulation, process, handle)


async def wait(simulation: Simulation, process: Process, handle: TaskExecutionHandle[Any]) -> None:
    """Wait for an execution, and check that what one is told is true."""
    try:
        view = await handle.wait_and_get_finished_execution()
    except UNLUCKY:
        return
    except DurableExecutionNotFoundError:
        assert handle.execution_id in simulation.database.deleted, "not found, and not deleted"
        return
    row = simulation.database.find(handle.execution_id)
    assert row is not None
    assert simulation.ledger.is_told(view.status, row), f"told of a finish that was not: {row}"
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
    row = simulation.database.find(view.execution_id)
    assert row is not None
    assert simulation.ledger.is_told(view.status, row), (view, row)


async def _cancel(
    simulation: Simulation, process: Process, task_id: str, execution_id: str
) -> None:
    try:
        handle = await process.executor.get_task_execution_handle(tasks[task_id], execution_id)
        await handle.cancel()
    except UNLUCKY:
        return
    except DurableExecutionNotFoundError:
        assert execution_id in simulation.database.deleted, "not found, and not deleted"
        return
    row = simulation.database.find(execution_id)
    assert row is not None
    is_ended = row.is_finished or execution_id in simulation.ledger.reopened
    assert is_ended, f"cancelled and not finished: {row}"
    process.note("cancelled", execution_id[-6:])


async def _retry(simulation: Simulation, process: Process, row: ExecutionRecord) -> None:
    try:
        view = await process.executor.retry_task_execution(row.task_id, row.execution_id)
    except UNLUCKY:
        return
    except DurableExecutionNotFoundError:
        assert row.execution_id in simulation.database.deleted, "not found, and not deleted"
        return
    except InvalidInputError as error:
        if "deleted" not in str(error):
            raise
        return  # a part of it was, by a deletion with a limit
    process.note("retried", view.execution_id[-6:], view.status)


async def _delete(process: Process, age: float, limit: int) -> None:
    try:
        deleted = await process.executor.delete_finished_task_executions(
            older_than=age, limit=limit
        )
    except UNLUCKY:
        return
    assert deleted <= limit, f"{deleted} deleted, with a limit of {limit}"
    process.note("deleted", deleted)


def _someone(simulation: Simulation) -> Process | None:
    running = [process for process in simulation.processes if process.is_running]
    return simulation.world.random.choice(running) if running else None
