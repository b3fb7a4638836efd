"""Work of every kind, and how each of it must end."""

from __future__ import annotations

import asyncio
from typing import Any

from durable_execution import (
    CompletedTaskExecution,
    DurableExecutionNotFoundError,
    DurableExecutor,
    FailedTaskExecution,
    FinishedTaskExecution,
    StorageUnavailableError,
    Task,
    TaskExecutionHandle,
)
from tests.processes.arena import LOOK_INTERVAL
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

CHILDREN = 4
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


async def enqueue_every_kind(observer: DurableExecutor, numbers: range) -> Enqueued:
    """Enqueue one of each kind for each number."""
    wanted: list[tuple[Any, int]] = [
        (kind, number) for number in numbers for kind in (*KINDS, contract)
    ]
    handles = await asyncio.gather(
        *(_enqueued_at_last(observer, kind, number) for kind, number in wanted)
    )
    return [(kind, number, handle) for (kind, number), handle in zip(wanted, handles, strict=True)]


async def _enqueued_at_last(
    observer: DurableExecutor, kind: Any, number: int
) -> TaskExecutionHandle[Any]:
    """Enqueue until the database is there; the key makes one execution of all tries."""
    while True:
        try:
            return await observer.enqueue_task(
                kind, input_of(kind, number), key=f"{kind.id} {number}"
            )
        except StorageUnavailableError:
            continue


async def check_endings(enqueued: Enqueued, *, timeout: float) -> None:
    """Wait until all have ended, each as its kind must."""
    ended = await asyncio.gather(
        *(handle.wait_and_get_finished_execution(timeout=timeout) for *_, handle in enqueued)
    )
    for (kind, number, _), execution in zip(enqueued, ended, strict=True):
        check_ending(kind, number, execution)


async def sign_contracts(observer: DurableExecutor, numbers: range) -> None:
    """Wake up what the contracts of these numbers wait for."""
    for number in numbers:
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


def input_of(kind: Any, number: int) -> int | str:
    if kind is contract:
        return f"signer {number}"
    return CHILDREN if kind in (fan_out, nest) else number
