"""Tasks of every kind, whose behaviour the seed decides, and the inputs that make trees of them.

An input says what runs below: `{"kids": [{"task": "work", "input": …}, …]}`. What one attempt
does, and how long it takes, is drawn when it runs.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, Final

from durable_execution import (
    Done,
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionTimedOutError,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    TaskContext,
    Tasks,
    child_task,
)
from tests.simulation.outside import App
from tests.simulation.process import Process
from tests.simulation.virtual_time import VirtualLoop, thread_of

Spec = dict[str, Any]

TIMEOUT: Final = 4
NAP_TIMEOUT: Final = 12
RETRY: Final = RetryOptions(max_retries=2, base_delay=0.2, delay_multiplier=2)
MAX_DEPTH: Final = 3

tasks = Tasks()
leaves = Tasks()
"""What an executor knows during a rolling deploy that has not got far."""


@leaves.task(timeout=TIMEOUT, retry=RETRY)
async def work(ctx: TaskContext, spec: Any) -> Any:
    return await _behave(ctx)


@leaves.task(timeout=1, retry=RetryOptions(max_retries=5))
async def hasty(ctx: TaskContext, spec: Any) -> Any:
    return await _behave(ctx)


@leaves.task(timeout=TIMEOUT, retry=RETRY)
def thread_work(ctx: TaskContext, spec: Any) -> Any:
    process = thread_of()
    run = process.ledger.begin(process, ctx.execution_id, ctx.attempt, stubborn=True)
    process.ledger.end(run)
    _raise_perhaps(process.world.random)
    return {"token": run.token}


@leaves.task(timeout=TIMEOUT, retry=RETRY)
async def poison(ctx: TaskContext, spec: Any) -> Any:
    """Kill whoever runs it, most of the time, while the adversary wants it so."""
    process = _home()
    run = process.ledger.begin(process, ctx.execution_id, ctx.attempt, stubborn=False)
    if process.adversary.is_active and process.world.random.random() < 0.8:
        process.world.after(0, lambda: process.crash("poisoned"))
        await asyncio.sleep(1)
    process.ledger.end(run)
    return {"token": run.token}


nap = leaves.sleeping_task("nap", timeout=NAP_TIMEOUT)

leaves.add(App().task)

tasks.include(leaves)


@tasks.task(timeout=TIMEOUT, retry=RETRY)
async def total(ctx: TaskContext, result: ParentTaskResult[Any]) -> Any:
    return await _behave(ctx)


@tasks.task(timeout=TIMEOUT, retry=RETRY)
async def step(ctx: TaskContext, spec: Any) -> Any:
    """Return what a parent or a step can go on from."""
    return {**await _behave(ctx), **_kids_of(_home().world.random, MAX_DEPTH - 1)}


@tasks.task(timeout=TIMEOUT, retry=RETRY)
async def name_a_nap(ctx: TaskContext, spec: Any) -> Any:
    await _behave(ctx)
    return f"step-{ctx.execution_id}" if _home().world.random.random() < 0.9 else "taken"


@tasks.task(timeout=TIMEOUT, retry=RETRY)
async def turn(ctx: TaskContext, spec: Any) -> Any:
    outcome = await _behave(ctx)
    return Done(outcome) if _home().world.random.random() < 0.4 else NotDone()


@tasks.parent_task(timeout=TIMEOUT, retry=RETRY)
async def fan(ctx: TaskContext, spec: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(await _behave(ctx), _children(spec))


@tasks.parent_task(timeout=TIMEOUT, retry=RETRY)
def thread_fan(ctx: TaskContext, spec: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(None, _children(spec))


@tasks.parent_task(timeout=TIMEOUT, finalize=total)
async def fan_in(ctx: TaskContext, spec: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(await _behave(ctx), _children(spec))


async def _sum_up(ctx: TaskContext, result: ParentTaskResult[Any]) -> Any:
    return await _behave(ctx)


@tasks.parent_task(timeout=TIMEOUT, retry=RETRY, finalize=_sum_up)
async def fan_function(ctx: TaskContext, spec: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(await _behave(ctx), _children(spec))


@tasks.parent_task(timeout=TIMEOUT, finalize=total)
async def fan_again(ctx: TaskContext, result: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(1, [child_task(work, {}), child_task(thread_work, {})])


@tasks.parent_task(timeout=TIMEOUT, finalize=fan_again)
async def fan_fan(ctx: TaskContext, spec: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(2, _children(spec))


total_in_steps = tasks.sequential_tasks("total_in_steps", [total, step])


@tasks.parent_task(timeout=TIMEOUT, finalize=total_in_steps)
async def fan_steps(ctx: TaskContext, spec: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(3, _children(spec))


@tasks.task(timeout=TIMEOUT)
async def judge(ctx: TaskContext, result: ParentTaskResult[Any]) -> Any:
    outcome = await _behave(ctx)
    return Done(outcome) if _home().world.random.random() < 0.5 else NotDone()


@tasks.parent_task(timeout=TIMEOUT, finalize=judge)
async def fan_turn(ctx: TaskContext, spec: Any) -> ParentTaskOutput[Any]:
    return ParentTaskOutput(4, [child_task(hasty, {})])


chain = tasks.sequential_tasks("chain", [step, thread_work, step])
chain_nap = tasks.sequential_tasks("chain_nap", [name_a_nap, nap, step])
chain_fan = tasks.sequential_tasks("chain_fan", [step, fan_function, chain])
loop = tasks.looping_task("loop", turn, 4, sleep_before_run=0.3)
loop_fan = tasks.looping_task("loop_fan", fan_turn, 3)

ROOTS: Final = tuple(
    task_id
    for task_id in tasks
    if task_id not in {"poison", "total", "judge", "fan_function_finalize", "total_in_steps"}
)
CHILDREN: Final = (
    *("work", "work", "work", "hasty", "thread_work", "thread_work", "nap", "outside"),
    *("fan", "fan_in", "fan_function", "fan_fan", "fan_steps", "thread_fan"),
    *("chain", "chain_nap", "chain_fan", "loop", "loop_fan"),
)
WITH_TOKENS: Final = frozenset({"work", "poison", "hasty", "thread_work", "total", "step"})
"""Tasks of which every completed execution says which run completed it."""


def input_of(task_id: str, random: Random, *, depth: int = 0) -> Any:
    """Return an input for a task: what runs below it, or the id of a nap."""
    if task_id == "nap":
        return f"nap-{random.randrange(40)}"
    return _kids_of(random, depth)


def _kids_of(random: Random, depth: int) -> Spec:
    if depth >= MAX_DEPTH:
        return {"kids": []}
    kids = []
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        task_id = random.choice(CHILDREN if depth + 1 < MAX_DEPTH else CHILDREN[:8])
        kids.append({"task": task_id, "input": input_of(task_id, random, depth=depth + 1)})
    return {"kids": kids}


def _children(spec: Any) -> list[Any]:
    kids = spec.get("kids", []) if isinstance(spec, dict) else []
    return [child_task(tasks[kid["task"]], kid["input"]) for kid in kids]


def _home() -> Process:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    assert isinstance(loop.home, Process)
    return loop.home


async def _behave(ctx: TaskContext) -> dict[str, Any]:
    """Take some time, and then end in one of the ways in which code ends."""
    process = _home()
    random = process.world.random
    is_stubborn = random.random() < 0.03
    run = process.ledger.begin(process, ctx.execution_id, ctx.attempt, stubborn=is_stubborn)
    try:
        try:
            await asyncio.sleep(process.adversary.duration_of_work())
        except asyncio.CancelledError:
            if not is_stubborn:
                raise
            await asyncio.sleep(random.random())
        if random.random() < 0.01:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)
        _raise_perhaps(random)
        return {"token": run.token}
    finally:
        process.ledger.end(run)


def _raise_perhaps(random: Random) -> None:
    luck = random.random()
    if luck > 0.2:
        return
    if luck < 0.01:
        raise asyncio.CancelledError
    if luck < 0.02:
        raise SystemExit(1)
    if luck < 0.03:
        raise DurableExecutionCancelledError
    if luck < 0.05:
        raise DurableExecutionTimedOutError
    if luck < 0.08:
        raise DurableExecutionError.non_retryable("hopeless")
    raise ValueError("not today")
