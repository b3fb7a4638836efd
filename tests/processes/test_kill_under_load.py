from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from durable_execution import (
    CompletedTaskExecution,
    DurableExecutionNotFoundError,
    DurableExecutor,
    FailedTaskExecution,
    FinishedTaskExecution,
    Task,
    TaskExecutionHandle,
)
from tests.processes.arena import LOOK_INTERVAL, Arena, Process, report, until
from tests.processes.books import check_accounts, check_trees
from tests.processes.tasks import (
    TURNS,
    add_one,
    again_and_again,
    contract,
    double,
    fan_out,
    in_order,
    nest,
    signature,
    third_time_lucky,
    unlucky,
)

pytestmark = pytest.mark.processes

OF_EACH_KIND = 40
CHILDREN = 4
KILLS = 12
CAPACITY = 4
SAID_BEFORE_DEATH = 100
KINDS: tuple[Task[int, Any], ...] = (
    add_one,
    double,
    third_time_lucky,
    unlucky,
    fan_out,
    nest,
    in_order,
    again_and_again,
)
Enqueued = list[tuple[Any, int, TaskExecutionHandle[Any]]]


async def test_everything_ends_right_though_processes_die_all_the_time(arena: Arena) -> None:
    workers = [await arena.start(capacity=CAPACITY) for _ in range(2)]
    async with arena.observer() as observer:
        enqueued = await enqueue_every_kind(observer)
        said, *_ = await asyncio.gather(
            kill_while_enqueueing(arena), kill_while_busy(arena, workers), sign_contracts(observer)
        )
        ended = await asyncio.gather(
            *(handle.wait_and_get_finished_execution(timeout=60) for *_, handle in enqueued)
        )
        await until(lambda: not arena.rows("finished_at IS NULL"), "every execution has finished")

    for (kind, number, _), execution in zip(enqueued, ended, strict=True):
        check_ending(kind, number, execution)
    roots = {row["execution_id"] for row in arena.rows("parent_execution_id IS NULL")}
    assert len(said) >= SAID_BEFORE_DEATH
    assert set(said) <= roots
    check_trees(arena)
    check_accounts(arena)
    crashes = sum(row["crash_count"] for row in arena.rows())
    report(f"{len(arena.rows())} executions, {KILLS} kills, {crashes} attempts cut off")
    assert crashes >= KILLS


async def enqueue_every_kind(observer: DurableExecutor) -> Enqueued:
    wanted: list[tuple[Any, int]] = [
        (kind, number) for number in range(OF_EACH_KIND) for kind in (*KINDS, contract)
    ]
    handles = await asyncio.gather(
        *(observer.enqueue_task(kind, input_of(kind, number)) for kind, number in wanted)
    )
    return [(kind, number, handle) for (kind, number), handle in zip(wanted, handles, strict=True)]


def input_of(kind: Any, number: int) -> int | str:
    if kind is contract:
        return f"signer {number}"
    return CHILDREN if kind in (fan_out, nest) else number


async def kill_while_enqueueing(arena: Arena) -> list[str]:
    """Kill a client in the midst of it, and return the ids that it was given."""
    client = await arena.start("enqueue", count=100_000)
    said = [await client.line() for _ in range(SAID_BEFORE_DEATH)]
    await client.kill()
    said += await client.lines()
    return [line.split()[0] for line in said if " " in line]  # the last line may be cut


async def kill_while_busy(arena: Arena, workers: list[Process]) -> None:
    """Kill the older worker and start another, again and again."""
    chance = random.Random(7)
    for _ in range(KILLS):
        victim = workers.pop(0)
        await until(lambda victim=victim: is_busy(arena, victim), "the victim is busy")
        await asyncio.sleep(chance.uniform(0, 0.03))  # somewhere in the midst of its attempts
        await victim.kill()
        workers.append(await arena.start(capacity=CAPACITY))


def is_busy(arena: Arena, worker: Process) -> bool:
    return sum(effect.pid == worker.pid for effect in arena.effects()) > 2 * CAPACITY


async def sign_contracts(observer: DurableExecutor) -> None:
    for number in range(OF_EACH_KIND):
        unique_id = f"signer {number}"
        while True:
            try:
                await observer.wakeup_sleeping_task_execution(
                    signature, unique_id, output=f"signed by {unique_id}"
                )
                break
            except DurableExecutionNotFoundError:
                # Its parent has not run yet; nothing tells this process when it does.
                await asyncio.sleep(LOOK_INTERVAL)


def check_ending(kind: Any, number: int, execution: FinishedTaskExecution[Any]) -> None:
    if kind is unlucky:
        assert isinstance(execution, FailedTaskExecution)
        assert execution.error.message == f"ValueError: {number} brings no luck"
        return
    assert isinstance(execution, CompletedTaskExecution), execution
    output = execution.output
    fanned_out = sum(range(1, CHILDREN + 1)) + 1000  # and one child brings no luck
    if kind is nest:
        assert output.output == "nested"
        assert output.outputs_of(fan_out) == [fanned_out]
        assert output.outputs_of(double) == [2 * CHILDREN]
    elif kind is contract:
        assert output.outputs_of(signature) == [f"signed by signer {number}"]
        assert output.outputs_of(add_one) == [2]
    elif kind is again_and_again:
        assert output.output == number * (TURNS - 1)
    else:
        assert (
            output
            == {
                add_one: number + 1,
                double: 2 * number,
                third_time_lucky: number,
                fan_out: fanned_out,
                in_order: f"{2 * (number + 1)}!",
            }[kind]
        )
