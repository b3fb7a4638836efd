from __future__ import annotations

import asyncio

import pytest

from durable_execution import (
    ParentTaskExecutionSummary,
    StoredError,
    TaskContext,
    TaskExecutionSummary,
    Tasks,
)
from durable_execution.testing import OneShot, make_context

tasks = Tasks()


@tasks.task
async def greet(ctx: TaskContext, name: str) -> str:
    return f"Hello {name}, attempt {ctx.attempt} of {ctx.task_id}"


@tasks.task
def count_until_told(ctx: TaskContext) -> int:
    turns = 0
    while not ctx.cancel_signal.wait_in_thread(timeout=0.001):
        turns += 1
    return turns


async def test_a_task_function_is_called_in_one_line() -> None:
    assert await greet(make_context(greet), "Ada") == "Hello Ada, attempt 0 of greet"


def test_a_context_needs_no_arguments_and_no_event_loop() -> None:
    first, second = make_context(), make_context()
    assert first.execution_id != second.execution_id
    assert first.execution_id.startswith("te_")
    assert (first.task_id, first.attempt, first.prev_error) == ("task", 0, None)
    assert (first.root, first.parent) == (None, None)
    assert not first.cancel_signal.is_set()
    assert not first.shutdown_signal.is_set()


def test_every_field_can_be_given() -> None:
    root = TaskExecutionSummary("root", "te_1")
    parent = ParentTaskExecutionSummary("parent", "te_2", 3, False, False)
    ctx = make_context(
        "child", execution_id="te_3", attempt=2, root=root, parent=parent, prev_error=None
    )
    assert (ctx.task_id, ctx.execution_id, ctx.attempt) == ("child", "te_3", 2)
    assert (ctx.root, ctx.parent) == (root, parent)


@pytest.mark.parametrize(
    "given",
    [
        ConnectionError("gone"),
        StoredError(message="ConnectionError: gone", is_retryable=True),
    ],
)
def test_the_error_of_the_attempt_before_is_as_an_executor_stores_it(
    given: BaseException | StoredError,
) -> None:
    ctx = make_context(attempt=1, prev_error=given)
    assert ctx.prev_error == StoredError(message="ConnectionError: gone", is_retryable=True)


async def test_a_signal_that_the_test_sets_reaches_threads_and_coroutines() -> None:
    cancel, shutdown = OneShot(), OneShot()
    ctx = make_context(cancel_signal=cancel, shutdown_signal=shutdown)
    counting = asyncio.create_task(asyncio.to_thread(count_until_told, ctx))
    waiting = asyncio.create_task(ctx.shutdown_signal.wait())
    await asyncio.sleep(0)  # lets both begin to wait
    assert not waiting.done()
    cancel.set()
    shutdown.set()
    async with asyncio.timeout(30):
        assert await counting >= 0
        await waiting
    assert ctx.cancel_signal.is_set()
