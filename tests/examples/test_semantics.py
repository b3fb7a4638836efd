"""The page about semantics says what the engine does, and names limits and tests that there are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import get_args

import pytest

from durable_execution import (
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionTimedOutError,
    DurableExecutor,
    ExecutorOptions,
    InMemoryStorage,
    ParentTaskOutput,
    RetryOptions,
    TaskContext,
    child_task,
)
from durable_execution._core import limits
from durable_execution._core.decisions import DEFAULT_MAX_CRASH_RECOVERIES
from durable_execution._core.enqueueing import MAX_TASKS_TO_ENQUEUE
from durable_execution._core.past import KEPT_ATTEMPTS, AttemptOutcome
from durable_execution._engine.options import MAX_CHILDREN
from durable_execution.errors import MAX_STORED_MESSAGE_LENGTH
from tests.examples.pages import ROOT, Page

TEXT = Page("semantics.md").text
PATIENCE = 20
ONE_RETRY = RetryOptions(max_retries=1)


@pytest.fixture
async def executor() -> AsyncIterator[DurableExecutor]:
    executor = DurableExecutor(InMemoryStorage())

    @executor.task(retry=ONE_RETRY, timeout=0.1)
    async def end(ctx: TaskContext, how: str) -> str:
        if how == "late":
            await asyncio.sleep(60)
        if how == "wrong":
            return 7
        errors = {
            "any": OSError("broken"),
            "final": DurableExecutionError("broken", is_retryable=False),
            "timed out": DurableExecutionTimedOutError("broken"),
            "cancelled": DurableExecutionCancelledError("broken"),
        }
        if how in errors:
            raise errors[how]
        return how

    @executor.parent_task()
    async def spawn(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(end, "any"), child_task(end, "well")])

    async with executor:
        yield executor


@pytest.mark.parametrize(
    ("how", "status", "attempts"),
    [
        ("well", "completed", 1),
        ("any", "failed", 2),
        ("final", "failed", 1),
        ("timed out", "timed_out", 2),
        ("late", "timed_out", 2),
        ("cancelled", "cancelled", 1),
        ("wrong", "failed", 1),
    ],
)
async def test_attempt_ends_as_the_table_says(
    executor: DurableExecutor, how: str, status: str, attempts: int
) -> None:
    handle = await executor.enqueue_task(executor.tasks["end"], how)
    if status == "completed":
        await handle.result(timeout=PATIENCE)
    else:
        with pytest.raises(DurableExecutionError):
            await handle.result(timeout=PATIENCE)
    execution = await handle.get_execution()
    assert (execution.status, execution.attempt + 1) == (status, attempts)
    assert execution.past_attempts_count == attempts - 1
    assert status in TEXT


async def test_child_that_fails_leaves_its_sibling_alone(executor: DurableExecutor) -> None:
    handle = await executor.enqueue_task(executor.tasks["spawn"])
    result = await handle.result(timeout=PATIENCE)
    assert [child.status for child in result.children] == ["failed", "completed"]


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("id of a task", f"1 to {limits.MAX_TASK_ID_LENGTH} letters, digits and underscores"),
        ("tags of an execution", f"{limits.MAX_TAGS}; names up to {limits.MAX_TAG_NAME_LENGTH}"),
        ("children of one execution", f"{MAX_CHILDREN:,} |"),
        ("retries", f"{limits.MAX_RETRIES:,} |"),
        ("turns of a loop", f"{limits.MAX_LOOP_ATTEMPTS:,} |"),
        ("executions enqueued at once", f"{MAX_TASKS_TO_ENQUEUE:,} |"),
        ("message of an error that is kept", f"{MAX_STORED_MESSAGE_LENGTH:,} characters"),
    ],
)
def test_limits_are_those_there_are(what: str, limit: str) -> None:
    assert f"| {what} | {limit}" in TEXT


def test_defaults_are_those_there_are() -> None:
    assert f"`max_crash_recoveries` ({DEFAULT_MAX_CRASH_RECOVERIES})" in TEXT
    assert f"`lease` ({ExecutorOptions().lease} s)" in TEXT
    assert f"The last {KEPT_ATTEMPTS} are kept" in TEXT
    assert all(f"`{outcome}`" in TEXT for outcome in get_args(AttemptOutcome))
    assert f"is {limits.DEFAULT_TIMEOUT_MS // 1000} s if nothing is said" in TEXT


def test_tests_that_guard_the_promises_exist() -> None:
    for text in (TEXT, Page("architecture.md").text):
        named = re.findall(r"`(tests/[\w./]+)`", text)
        assert named
        assert [name for name in named if not (ROOT / name).exists()] == []
