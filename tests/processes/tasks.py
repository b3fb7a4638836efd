"""The tasks that the processes run. Each attempt leaves a line in the effects log as it begins."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TypedDict

from durable_execution import (
    ChildTask,
    Done,
    ErroredChild,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    TaskContext,
    Tasks,
    child_task,
)
from tests.processes.effects import leave

NAP = 0.02
TURNS = 4

tasks = Tasks()


class Trap(TypedDict):
    """Hangs in the process `pid`, and ends at once in any other."""

    pid: int
    nap: float


@tasks.task
async def add_one(ctx: TaskContext, number: int) -> int:
    leave(ctx)
    await asyncio.sleep(NAP)
    return number + 1


@tasks.task
def double(ctx: TaskContext, number: int) -> int:
    leave(ctx)
    time.sleep(NAP)
    return 2 * number


@tasks.task(retry=RetryOptions(max_retries=2, base_delay=0.01))
async def third_time_lucky(ctx: TaskContext, number: int) -> int:
    leave(ctx)
    await asyncio.sleep(NAP)
    if ctx.attempt < 2:
        raise ConnectionError(f"attempt {ctx.attempt}")
    return number


@tasks.task(retry=RetryOptions(max_retries=1))
async def unlucky(ctx: TaskContext, number: int) -> int:
    leave(ctx)
    await asyncio.sleep(NAP)
    raise ValueError(f"{number} brings no luck")


def total(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
    leave(ctx)
    errors = sum(isinstance(child, ErroredChild) for child in result.children)
    return sum(result.outputs_of(add_one)) + 1000 * errors


@tasks.parent_task(finalize=total)
async def fan_out(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
    leave(ctx)
    children: list[ChildTask] = [child_task(add_one, each) for each in range(number)]
    return ParentTaskOutput(number, [*children, child_task(unlucky, number)])


@tasks.parent_task()
def nest(ctx: TaskContext, number: int) -> ParentTaskOutput[str]:
    leave(ctx)
    return ParentTaskOutput("nested", [child_task(fan_out, number), child_task(double, number)])


@tasks.task
async def to_text(ctx: TaskContext, number: int) -> str:
    leave(ctx)
    await asyncio.sleep(NAP)
    return f"{number}!"


in_order = tasks.sequential_tasks("in_order", (add_one, double, to_text))


@tasks.task
async def turn(ctx: TaskContext, number: int) -> Done[int] | NotDone:
    leave(ctx)
    await asyncio.sleep(NAP)
    assert ctx.parent is not None
    index = ctx.parent.index_in_parent_children
    return Done(number * index) if index == TURNS - 1 else NotDone()


again_and_again = tasks.looping_task("again_and_again", turn, 2 * TURNS)

signature = tasks.sleeping_task("signature", output=str)


@tasks.parent_task()
async def contract(ctx: TaskContext, signer: str) -> ParentTaskOutput[str]:
    leave(ctx)
    return ParentTaskOutput(signer, [child_task(signature, signer), child_task(add_one, 1)])


@tasks.task
async def unhurried(ctx: TaskContext, number: int) -> int:
    leave(ctx)
    await asyncio.sleep(0.05)  # so that work is left when something breaks
    return number + 1


@tasks.task
async def trap(ctx: TaskContext, where: Trap) -> int:
    leave(ctx)
    try:
        if os.getpid() == where["pid"]:
            await asyncio.sleep(where["nap"])
    except asyncio.CancelledError:
        leave(ctx, "cancelled")
        raise
    return os.getpid()


@tasks.task
async def set_out(ctx: TaskContext, where: Trap) -> Trap:
    leave(ctx)
    return where


trap_in_order = tasks.sequential_tasks("trap_in_order", (set_out, trap, add_one))


@tasks.task
def trap_in_thread(ctx: TaskContext, where: Trap) -> int:
    leave(ctx)
    if os.getpid() == where["pid"] and ctx.cancel_signal.wait_in_thread(where["nap"]):
        leave(ctx, "cancelled")
        raise InterruptedError("told to stop")
    return os.getpid()


@tasks.task
async def halfway(ctx: TaskContext, where: Trap) -> int:
    """Report half of it, and hang where the trap is; elsewhere end, having reported all."""
    leave(ctx)
    if os.getpid() == where["pid"]:
        ctx.progress(0.5, "trapped")
        await asyncio.sleep(where["nap"])
    ctx.progress(1, "free")
    return os.getpid()


@tasks.task
def babble(ctx: TaskContext, where: Trap) -> int:
    """Report again and again where the trap is; elsewhere once."""
    leave(ctx)
    while os.getpid() == where["pid"]:
        ctx.progress(0.5, "trapped")
        if ctx.cancel_signal.wait_in_thread(0.002):
            leave(ctx, "cancelled")
            raise InterruptedError("told to stop")
    ctx.progress(0.25, "free")
    return os.getpid()


@tasks.task
async def count_up(ctx: TaskContext, number: int) -> int:
    """Report every step of so many, some of which go by unseen."""
    leave(ctx)
    for place in range(number):
        ctx.progress(place / number, str(place))
        await asyncio.sleep(NAP)
    ctx.progress(1, str(number))
    return number


@tasks.task
async def poison(ctx: TaskContext) -> None:
    leave(ctx)
    os.kill(os.getpid(), signal.SIGKILL)
