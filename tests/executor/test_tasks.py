from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from durable_execution import (
    CompletedTaskExecution,
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionTimedOutError,
    DurableExecutor,
    InMemoryStorage,
    RetryOptions,
    StoredError,
    TaskContext,
)
from durable_execution.storage.memory import wall_clock
from tests.conftest import OPTIONS


async def test_an_async_function_returns_the_output(executor: DurableExecutor) -> None:
    @executor.task
    async def double(ctx: TaskContext, number: int) -> int:
        return number * 2

    handle = await executor.enqueue_task(double, 21)
    assert await handle.result() == 42


async def test_a_plain_function_runs_in_another_thread(executor: DurableExecutor) -> None:
    @executor.task()
    def where(ctx: TaskContext) -> bool:
        return threading.current_thread() is threading.main_thread()

    assert await (await executor.enqueue_task(where)).result() is False


async def test_a_plain_function_may_return_an_awaitable(executor: DurableExecutor) -> None:
    async def later() -> str:
        return "later"

    @executor.task()
    def start(ctx: TaskContext) -> object:
        return later()

    assert await (await executor.enqueue_task(start)).result() == "later"


async def test_the_context_names_the_attempt(executor: DurableExecutor) -> None:
    seen: list[TaskContext] = []

    @executor.task(id="look", retry=RetryOptions(max_retries=1))
    async def look(ctx: TaskContext) -> None:
        seen.append(ctx)
        if ctx.attempt == 0:
            raise ValueError("not yet")

    handle = await executor.enqueue_task(look)
    await handle.result()
    first, second = seen
    assert (first.task_id, first.execution_id) == ("look", handle.execution_id)
    assert (first.root, first.parent, first.attempt, first.prev_error) == (None, None, 0, None)
    assert second.attempt == 1
    assert second.prev_error.without_traceback() == StoredError(
        message="ValueError: not yet", is_retryable=True
    )
    assert not second.cancel_signal.is_set()
    assert not second.shutdown_signal.is_set()


async def test_the_view_of_a_completed_execution_has_all_its_fields(
    executor: DurableExecutor,
) -> None:
    retry = RetryOptions(max_retries=2, base_delay=1, delay_multiplier=2, max_delay=30)

    @executor.task(timeout=30, retry=retry, sleep_before_run=timedelta(milliseconds=1))
    async def shout(ctx: TaskContext, word: str) -> str:
        return word.upper()

    handle = await executor.enqueue_task(shout, "hey")
    execution = await handle.wait_and_get_finished_execution()
    assert isinstance(execution, CompletedTaskExecution)
    assert (execution.task_id, execution.execution_id) == ("shout", handle.execution_id)
    assert (execution.input, execution.output, execution.attempt) == ("hey", "HEY", 0)
    assert (execution.timeout, execution.retry, execution.sleep_before_run) == (30, retry, 0.001)
    assert execution.start_at - execution.created_at == timedelta(milliseconds=1)
    assert execution.started_at is not None
    assert execution.expires_at == execution.started_at + timedelta(seconds=30)
    assert execution.created_at <= execution.started_at <= execution.finished_at
    assert execution.updated_at == execution.finished_at
    assert execution.children == ()


async def test_no_attempt_ends_before_it_was_claimed() -> None:
    ahead = 0
    storage = InMemoryStorage(clock=lambda: wall_clock() + ahead)
    async with DurableExecutor(storage, replace(OPTIONS, lease=60)) as executor:

        @executor.task
        async def nothing(ctx: TaskContext) -> None: ...

        ahead = 500  # until the next beat, the executor's clock is that much behind
        handle = await executor.enqueue_task(nothing, sleep_before_run=0.001)
        execution = await handle.wait_and_get_finished_execution()
    assert execution.started_at is not None
    assert execution.started_at <= execution.finished_at


async def test_options_at_enqueue_replace_the_task_s_own(executor: DurableExecutor) -> None:
    @executor.task(timeout=30, retry=RetryOptions(max_retries=5))
    async def nothing(ctx: TaskContext) -> None: ...

    handle = await executor.enqueue_task(
        nothing, timeout=7, retry=RetryOptions(max_retries=1), sleep_before_run=0.001
    )
    execution = await handle.wait_and_get_finished_execution()
    assert execution.timeout == 7
    assert execution.retry == RetryOptions(max_retries=1, max_delay=None)
    assert execution.sleep_before_run == 0.001


async def test_retries_end_with_the_last_error(executor: DurableExecutor) -> None:
    @executor.task(retry=RetryOptions(max_retries=2))
    async def fail(ctx: TaskContext) -> None:
        raise ValueError(f"attempt {ctx.attempt}")

    execution = await (await executor.enqueue_task(fail)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.attempt == 2
    assert execution.error.without_traceback() == StoredError(
        message="ValueError: attempt 2", is_retryable=True
    )


async def test_retries_wait_for_their_delay(executor: DurableExecutor) -> None:
    starts: list[float] = []

    @executor.task(retry=RetryOptions(max_retries=2, base_delay=0.05, delay_multiplier=2))
    async def fail(ctx: TaskContext) -> None:
        starts.append(asyncio.get_running_loop().time())
        raise ValueError

    await (await executor.enqueue_task(fail)).wait_and_get_finished_execution()
    first, second, third = starts
    # Clocks are read in milliseconds, so a pause may look one shorter than it was.
    assert second - first >= 0.048
    assert third - second >= 0.098


async def test_a_non_retryable_error_ends_the_execution_at_once(executor: DurableExecutor) -> None:
    @executor.task(retry=RetryOptions(max_retries=5))
    async def refuse(ctx: TaskContext) -> None:
        raise DurableExecutionError.non_retryable("no", is_internal=True)

    execution = await (await executor.enqueue_task(refuse)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.attempt == 0
    assert execution.error.without_traceback() == StoredError(message="no", is_internal=True)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DurableExecutionTimedOutError("late"), "timed_out"),
        (DurableExecutionCancelledError("stop"), "cancelled"),
        (DurableExecutionError.retryable("again"), "failed"),
    ],
)
async def test_the_class_of_the_error_selects_the_status(
    executor: DurableExecutor, error: DurableExecutionError, status: str
) -> None:
    @executor.task()
    async def end(ctx: TaskContext) -> None:
        raise error

    execution = await (await executor.enqueue_task(end)).wait_and_get_finished_execution()
    assert execution.status == status
    assert execution.error.message == error.message


class OwnSignal(BaseException):
    pass


@pytest.mark.parametrize("is_async", [True, False], ids=["async def", "def"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (asyncio.CancelledError(), "CancelledError"),
        (SystemExit(3), "SystemExit: 3"),
        (OwnSignal("odd"), "OwnSignal: odd"),
        (ExceptionGroup("both", [ValueError("a")]), "ExceptionGroup: both (1 sub-exception)"),
        (BaseExceptionGroup("all", [SystemExit()]), "BaseExceptionGroup: all (1 sub-exception)"),
        (StopIteration("end"), "RuntimeError"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_whatever_a_task_raises_ends_the_attempt(
    executor: DurableExecutor, error: BaseException, message: str, is_async: bool
) -> None:
    def fail(ctx: TaskContext) -> None:
        raise error

    async def fail_async(ctx: TaskContext) -> None:
        raise error

    task = executor.task(id="fail")(fail_async if is_async else fail)
    execution = await (await executor.enqueue_task(task)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.message.startswith(message)
    assert executor.is_healthy
    async with asyncio.timeout(30):
        # A waiter that looks itself may see the end before the attempt has heard of its own write.
        while executor.running_task_executions_count > 0:
            await asyncio.sleep(0)


async def test_a_task_that_cancels_itself_fails(executor: DurableExecutor) -> None:
    @executor.task()
    async def give_up(ctx: TaskContext) -> None:
        job = asyncio.current_task()
        assert job is not None
        job.cancel()
        await asyncio.Event().wait()

    execution = await (await executor.enqueue_task(give_up)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.without_traceback() == StoredError(
        message="CancelledError: raised by the task", is_retryable=True
    )


async def test_sleep_before_run_delays_the_first_attempt(executor: DurableExecutor) -> None:
    @executor.task(sleep_before_run=0.1)
    async def nothing(ctx: TaskContext) -> None: ...

    handle = await executor.enqueue_task(nothing)
    assert (await handle.get_execution()).status == "ready"
    execution = await handle.wait_and_get_finished_execution()
    assert execution.started_at is not None
    assert execution.started_at - execution.created_at >= timedelta(milliseconds=100)


async def test_many_tasks_run_at_the_same_time(executor: DurableExecutor) -> None:
    barrier = asyncio.Barrier(50)

    @executor.task()
    async def meet(ctx: TaskContext) -> None:
        await barrier.wait()

    handles = await asyncio.gather(*(executor.enqueue_task(meet) for _ in range(50)))
    await asyncio.gather(*(handle.result() for handle in handles))
