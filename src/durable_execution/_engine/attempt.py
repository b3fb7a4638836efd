"""One attempt, read as steps: resolve, decode and validate, run, conclude, apply.

Whatever the task's code does ends as an outcome; only a `KeyboardInterrupt` leaves
`AttemptRunner.run`.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

from durable_execution._core import decisions
from durable_execution._core.context import (
    ParentTaskExecutionSummary,
    TaskContext,
    TaskExecutionSummary,
)
from durable_execution._core.decisions import HandedBack, Outcome, Raised, Returned
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.results import ParentResultReader
from durable_execution._core.task import (
    ANYTHING,
    LoopPlan,
    ParentPlan,
    RunPlan,
    SequencePlan,
    SleepPlan,
)
from durable_execution._engine.clock import Clock
from durable_execution._engine.commits import Commits
from durable_execution._engine.inputs import encode_output, validated
from durable_execution._engine.options import ExecutorOptions
from durable_execution._engine.running import Attempt, Running
from durable_execution._engine.signals import OneShot
from durable_execution._engine.spawning import Spawning
from durable_execution.errors import (
    DuplicateSleepingIdError,
    DurableExecutionTimedOutError,
    ExecutorShutDownError,
    StoredError,
    to_stored_error,
)

logger = logging.getLogger(__name__)

_PARENT_RESULT: Final[ParentResultReader[Any]] = ParentResultReader(ANYTHING)

ComposeInput = Callable[[ExecutionRecord], "asyncio.Future[bytes]"]


class AttemptRunner:
    """Runs attempts and writes down how they ended."""

    def __init__(
        self,
        *,
        running: Running,
        commits: Commits,
        spawning: Spawning,
        clock: Clock,
        options: ExecutorOptions,
        shutdown_signal: OneShot,
        finalize_input: Callable[[ExecutionRecord], Any],
    ) -> None:
        self._running = running
        self._commits = commits
        self._spawning = spawning
        self._clock = clock
        self._options = options
        self._shutdown_signal = shutdown_signal
        self._finalize_input = finalize_input

    async def run(self, attempt: Attempt) -> None:
        """Run one attempt to its end. The caller has counted it as running; this uncounts it."""
        attempt.has_begun = True
        try:
            if attempt.stop_reason is None:
                outcome = await self._outcome_of(attempt)
            else:
                outcome = _outcome_of_stop(attempt)
            attempt.has_ended = True
            if outcome is not None:
                await self._write(attempt, outcome)
        except asyncio.CancelledError:
            if attempt.is_ours and not attempt.is_abandoned:
                raise
        except ExecutorShutDownError:
            logger.warning("the engine ended before an outcome", extra=_facts(attempt))
        except Exception:
            logger.exception("the outcome of an attempt was not written", extra=_facts(attempt))
        finally:
            self._running.remove(attempt)

    async def _outcome_of(self, attempt: Attempt) -> Outcome | None:
        """Run the task's code under its deadline; None means the outcome is not ours."""
        timeout = attempt.record.timeout_ms / 1000
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                outcome = await self._perform(attempt)
        except asyncio.CancelledError:
            return _outcome_of_cancellation(attempt)
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if attempt.stop_reason is not None:
                return _outcome_of_stop(attempt)
            if not deadline.expired():
                logger.debug("attempt raised", exc_info=error, extra=_facts(attempt))
                return Raised(to_stored_error(error))
        else:
            if not attempt.is_ours:
                return None
            if not deadline.expired():
                return outcome
        message = f"Task execution timed out after {timeout:g} s"
        return Raised(to_stored_error(DurableExecutionTimedOutError(message)))

    async def _perform(self, attempt: Attempt) -> Outcome:
        record, task = attempt.record, attempt.task
        payload = record.input
        if record.is_finalize:
            payload = await self._finalize_input(record)
            if task.validate_input is not None:
                payload = validated(task, payload)
        plan = task.plan
        match plan:
            case RunPlan():
                value = await self._call(attempt, plan, payload)
                limit = self._options.max_serialized_output_size
                return Returned(encode_output(task, value, max_size=limit))
            case ParentPlan():
                returned = await self._call(attempt, plan, payload)
                return self._spawning.children(record, task, returned)
            case SequencePlan() | LoopPlan():
                return self._spawning.first_step(record, plan, payload)
            case SleepPlan():
                raise AssertionError(f"sleeping execution {record.execution_id} was claimed")
            case _:
                assert_never(plan)

    async def _call(self, attempt: Attempt, plan: RunPlan | ParentPlan, payload: bytes) -> Any:
        context = _context_of(attempt, self._shutdown_signal)
        arguments: tuple[Any, ...] = (context,)
        if plan.takes_input:
            arguments = (context, _load_input(attempt, payload))
        if plan.is_async:
            return await plan.function(*arguments)
        result = await self._call_in_thread(attempt, plan.function, arguments)
        return await result if inspect.isawaitable(result) else result

    async def _call_in_thread(
        self, attempt: Attempt, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        """Call a plain function in a thread; however this is cancelled, wait until it returns."""
        loop = asyncio.get_running_loop()
        run = contextvars.copy_context().run
        thread = loop.run_in_executor(self._running.threads, run, _called, function, arguments)
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            attempt.cancel_signal.set()
            await _ended(thread, attempt)
            if attempt.stop_reason == "shutdown" and not thread.cancelled():
                return thread.result()
            thread.cancelled() or thread.exception()  # what it raised now is nobody's
            raise

    async def _write(self, attempt: Attempt, outcome: Outcome) -> None:
        record = attempt.record
        transition = decisions.conclude(record, outcome, now=self._clock.now())
        try:
            matched = await self._commits.apply(record, transition)
        except ExecutorShutDownError:
            raise
        except DuplicateSleepingIdError as error:
            matched = await self._write_error(record, to_stored_error(error))
        except Exception as error:
            logger.exception("an outcome was refused by the storage", extra=_facts(attempt))
            message = f"The outcome could not be stored: {error}"
            matched = await self._write_error(
                record, StoredError(message=message, is_internal=True)
            )
        if not matched:
            logger.info("a late outcome was rejected: lease lost", extra=_facts(attempt))

    async def _write_error(self, record: ExecutionRecord, error: StoredError) -> bool:
        transition = decisions.conclude(record, Raised(error), now=self._clock.now())
        return await self._commits.apply(record, transition)


def _outcome_of_stop(attempt: Attempt) -> Outcome | None:
    return HandedBack() if attempt.is_ours else None


def _outcome_of_cancellation(attempt: Attempt) -> Outcome | None:
    job = asyncio.current_task()
    if not attempt.is_ours:
        return None
    if attempt.is_abandoned:
        raise asyncio.CancelledError
    while job is not None and job.uncancel():
        pass
    if attempt.stop_reason is not None:
        return _outcome_of_stop(attempt)
    # Nobody here cancelled the attempt: the task's code did, or let a cancellation escape.
    return Raised(StoredError(message="CancelledError: raised by the task", is_retryable=True))


def _called(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except StopIteration as error:  # which no future can carry to the event loop
        raise RuntimeError("the task raised StopIteration") from error


async def _ended(thread: asyncio.Future[Any], attempt: Attempt) -> None:
    while not thread.done():
        try:
            await asyncio.wait({thread})
        except asyncio.CancelledError:
            if attempt.is_abandoned:
                raise


def _load_input(attempt: Attempt, payload: bytes) -> Any:
    if attempt.record.is_finalize and attempt.task.takes_anything:
        # A finalize function without hints still gets what the docs say that it gets.
        return _PARENT_RESULT.load(payload, root="input")
    return attempt.task.load_input(payload)


def _context_of(attempt: Attempt, shutdown_signal: OneShot) -> TaskContext:
    record = attempt.record
    root = parent = None
    if record.root_execution_id is not None and record.root_task_id is not None:
        root = TaskExecutionSummary(record.root_task_id, record.root_execution_id)
    if record.parent_execution_id is not None and record.parent_task_id is not None:
        parent = ParentTaskExecutionSummary(
            record.parent_task_id,
            record.parent_execution_id,
            record.index_in_parent,
            record.is_only_child,
            record.is_finalize,
        )
    return TaskContext(
        task_id=record.task_id,
        execution_id=record.execution_id,
        root=root,
        parent=parent,
        attempt=record.attempt,
        prev_error=record.error,
        shutdown_signal=shutdown_signal,
        cancel_signal=attempt.cancel_signal,
    )


def _facts(attempt: Attempt) -> Mapping[str, object]:
    return {
        "task_id": attempt.record.task_id,
        "execution_id": attempt.record.execution_id,
        "attempt": attempt.record.attempt,
        "fence": attempt.record.fence,
    }
