"""Attempts of rows that no storage knows."""

from __future__ import annotations

import asyncio

from durable_execution import Tasks
from durable_execution._core.context import TaskContext
from durable_execution._engine.running import Attempt, Running
from tests._core.records import record_in

tasks = Tasks()


@tasks.task
async def on_the_loop(ctx: TaskContext) -> None: ...


@tasks.task
def in_a_thread(ctx: TaskContext) -> None: ...


def running_attempt(
    running: Running, execution_id: str = "te_1", *, fence: int = 1, task_id: str = "on_the_loop"
) -> Attempt:
    """Return an attempt that waits for ever, counted as running."""
    record = record_in("running", execution_id=execution_id, fence=fence)
    attempt = Attempt(record, tasks[task_id])
    attempt.job = asyncio.get_running_loop().create_task(_wait())
    running.add(attempt)
    return attempt


async def _wait() -> None:
    await asyncio.Event().wait()
