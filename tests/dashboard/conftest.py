"""A shop whose executor has a bit of everything to show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from durable_execution import (
    DurableExecutor,
    InMemoryStorage,
    ParentTaskOutput,
    SleepingTask,
    Task,
    TaskContext,
    child_task,
)
from tests.conftest import OPTIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DUE = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Shop(NamedTuple):
    """An executor, its tasks, and the ids of executions that have ended."""

    executor: DurableExecutor
    greet: Task[Any, Any]
    refuse: Task[Any, Any]
    batch: Task[Any, Any]
    payment: SleepingTask[float]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    executor = DurableExecutor(InMemoryStorage(), OPTIONS)

    @executor.task
    async def greet(ctx: TaskContext, whom: Any) -> Any:
        return {"greeted": whom, "due": DUE, "amount": 2**70, "tags": {"one"}}

    @executor.task
    async def refuse(ctx: TaskContext, order: int) -> None:
        raise ValueError(f"order {order} is refused")

    @executor.parent_task()
    async def batch(ctx: TaskContext, count: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(count, [child_task(greet, place) for place in range(count)])

    payment = executor.sleeping_task("payment", timeout=3_600, output=float)
    async with executor:
        yield Shop(executor, greet, refuse, batch, payment)


async def ended(shop: Shop, task: Task[Any, Any], value: object, **options: Any) -> str:
    """Run a task to its end, and give the id of its execution."""
    handle = await shop.executor.enqueue_task(task, value, **options)
    await handle.wait_and_get_finished_execution(timeout=30)
    return handle.execution_id
