"""A short life that uses every part of a storage that its tables' names could be forgotten in."""

from __future__ import annotations

import pytest

from durable_execution import (
    DurableExecutor,
    ParentTaskOutput,
    StorageError,
    TaskContext,
    child_task,
)


async def live_a_life(executor: DurableExecutor) -> None:
    """Use every part of the storage that a name could be forgotten in."""

    @executor.task()
    async def double(ctx: TaskContext, number: int) -> int:
        return 2 * number

    @executor.parent_task()
    async def family(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(number, [child_task(double, number)])

    bell = executor.sleeping_task("bell", timeout=60, output=str)
    async with executor:
        handle = await executor.enqueue_task(double, 7, key="a", tags={"shop": "b"})
        again = await executor.enqueue_task(double, 7, key="a")
        assert again.execution_id == handle.execution_id
        assert await handle.result(timeout=30) == 14
        parent = await executor.enqueue_task(family, 4)
        assert (await parent.result(timeout=30)).output == 4
        await executor.enqueue_task(bell, "door")
        with pytest.raises(StorageError, match="door"):
            await executor.enqueue_task(bell, "door")
        await executor.wakeup_sleeping_task_execution(bell, "door", output="ding")
        page = await executor.search_task_executions(tags={"shop": "b"})
        assert [found.execution_id for found in page.executions] == [handle.execution_id]
        assert await executor.delete_finished_task_executions(older_than=0) == 4
