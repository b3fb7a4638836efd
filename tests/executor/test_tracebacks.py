from __future__ import annotations

from dataclasses import replace

import pytest

from durable_execution import (
    DurableExecutor,
    ErroredChild,
    FailedTaskExecution,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    Storage,
    StoredError,
    TaskContext,
    Tasks,
    child_task,
    open_storage,
)
from durable_execution._codec import dumps
from durable_execution.remote.wire_view import wire_view
from tests.conftest import OPTIONS

tasks = Tasks()
seen: list[StoredError | None] = []


@tasks.task(id="broken", retry=RetryOptions(max_retries=1))
async def broken(ctx: TaskContext) -> None:
    seen.append(ctx.prev_error)
    try:
        _ = {}["missing"]
    except KeyError as error:
        raise LookupError("nothing there") from error


@tasks.task(id="brokenInThread")
def broken_in_thread(ctx: TaskContext) -> None:
    raise LookupError("nothing there")


async def join(ctx: TaskContext, result: ParentTaskResult[None]) -> list[object]:
    return [child.error for child in result.children if isinstance(child, ErroredChild)]


@tasks.parent_task(id="family", finalize=join)
async def family(ctx: TaskContext) -> ParentTaskOutput[None]:
    return ParentTaskOutput(None, [child_task(broken)])


async def test_error_of_an_execution_has_its_traceback_and_cause(storage: Storage) -> None:
    seen.clear()
    async with DurableExecutor(storage, OPTIONS) as executor:
        executor.include(tasks)
        handle = await executor.enqueue_task(broken)
        execution = await handle.wait_and_get_finished_execution()
        stored = await executor.get_stored_task_execution(broken, handle.execution_id)
        threaded = await (
            await executor.enqueue_task(broken_in_thread)
        ).wait_and_get_finished_execution()
    assert isinstance(execution, FailedTaskExecution)
    assert execution.error.cause == "KeyError: 'missing'"
    traceback = str(execution.error.traceback)
    assert "durable_execution/_engine" not in traceback
    assert traceback.index("KeyError: 'missing'") < traceback.index("LookupError: nothing there")
    assert seen == [None, execution.error]
    wire = dumps(wire_view(stored.record))
    assert b"nothing there" in wire
    assert b"traceback" not in wire
    assert b"missing" not in wire
    assert isinstance(threaded, FailedTaskExecution)
    assert "concurrent/futures" not in str(threaded.error.traceback)
    assert "in broken_in_thread" in str(threaded.error.traceback)


async def test_traceback_is_not_kept_where_it_is_not_wanted() -> None:
    options = replace(OPTIONS, store_tracebacks=False)
    async with DurableExecutor(open_storage("memory://"), options) as executor:
        executor.include(tasks)
        execution = await (await executor.enqueue_task(broken)).wait_and_get_finished_execution()
    assert isinstance(execution, FailedTaskExecution)
    assert execution.error == StoredError(message="LookupError: nothing there", is_retryable=True)


async def test_finalize_task_gets_errors_as_callers_see_them() -> None:
    async with DurableExecutor(open_storage("memory://"), OPTIONS) as executor:
        executor.include(tasks)
        (error,) = await (await executor.enqueue_task(family)).result()
    assert error == {
        "errorType": "generic",
        "message": "LookupError: nothing there",
        "isRetryable": True,
        "isInternal": False,
    }


@pytest.mark.parametrize("error", [StoredError(message="a"), StoredError(message="a", cause="b")])
def test_what_is_unset_is_not_written(error: StoredError) -> None:
    assert (b"cause" in dumps(error)) == (error.cause == "b")
    assert b"traceback" not in dumps(error)
