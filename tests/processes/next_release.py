"""What a later release of the same application adds to its tasks."""

from __future__ import annotations

from durable_execution import ParentTaskOutput, ParentTaskResult, TaskContext, Tasks, child_task
from tests.processes.effects import leave
from tests.processes.tasks import add_one

next_release = Tasks()


@next_release.task
async def added(ctx: TaskContext, number: int) -> int:
    leave(ctx)
    return 10 * number


def sum_up(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
    leave(ctx)
    return sum(result.outputs_of(add_one)) + sum(result.outputs_of(added))


@next_release.parent_task(finalize=sum_up)
async def mixed_family(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
    leave(ctx)
    return ParentTaskOutput(number, [child_task(add_one, number), child_task(added, number)])
