"""One attempt, read as steps: resolve, decode and validate, run, conclude, apply.

Whatever the task's code does ends as an outcome; only a `KeyboardInterrupt` leaves
`AttemptRunner.run`.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, assert_never

import msgspec

from durable_execution._core import decisions
from durable_execution._core.context import (
    ParentTaskExecutionSummary,
    TaskContext,
    TaskExecutionSummary,
)
from durable_execution._core.decisions import HandedBack, Outcome, Parked, Raised, Returned
from durable_execution._core.handover import Accepted, Handover
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.results import ParentResultReader
from durable_execution._core.task import (
    ANYTHING,
    CallbackPlan,
    LoopPlan,
    ParentPlan,
    RunPlan,
    SequencePlan,
    SleepPlan,
)
from durable_execution._engine.ahead import PATIENCE
from durable_execution._engine.clock import Clock
from durable_execution._engine.commits import Commits
from durable_execution._engine.deadlines import Deadlines
from durable_execution._engine.inputs import encode_output, validated
from durable_execution._engine.options import ExecutorOptions
from durable_execution._engine.running import NOT_DECODED, Attempt, OnProgress, Running
from durable_execution._engine.signals import OneShot
from durable_execution._engine.spawning import Spawning
from durable_execution._engine.successors import Change, Joins
from durable_execution._engine.telling import AttemptsTold
from durable_execution._engine.threads import Call, NotBegunError
from durable_execution._engine.tracebacks import stored_with_traceback
from durable_execution._observing import (
    Fact,
    RunAttempt,
    Tracer,
    attempt_names,
    current_trace,
    parts_of,
    traced,
)
from durable_execution.errors import (
    DuplicateSleepingIdError,
    ExecutorShutDownError,
    StorageUnavailableError,
    StoredError,
    to_stored_error,
)

logger = logging.getLogger(__name__)

_PARENT_RESULT: Final[ParentResultReader[Any]] = ParentResultReader(ANYTHING)


class AttemptRunner:
    """Runs attempts and writes down how they ended."""

    def __init__(
        self,
        *,
        running: Running,
        commits: Commits,
        deadlines: Deadlines,
        spawning: Spawning,
        joins: Joins,
        clock: Clock,
        options: ExecutorOptions,
        shutdown_signal: OneShot,
        on_progress: OnProgress,
        finalize_input: Callable[[Attempt], Awaitable[bytes]],
        tell: Callable[[Fact], None] | None,
    ) -> None:
        self._running = running
        self._commits = commits
        self._deadlines = deadlines
        self._spawning = spawning
        self._joins = joins
        self._clock = clock
        self._options = options
        self._shutdown_signal = shutdown_signal
        self._on_progress = on_progress
        self._finalize_input = finalize_input
        self._tracer = options.tracer
        self._loop = asyncio.get_running_loop()
        self._telling = None if tell is None else AttemptsTold(tell)

    async def run(self, attempt: Attempt) -> None:
        """Run one attempt, and have its outcome written.

        The caller has counted the attempt as running. It is counted until its outcome is written,
        or until it is known that there is none to write.
        """
        attempt.began_at = self._loop.time()
        if self._telling is not None:
            self._telling.started(attempt)
        is_being_written = False
        try:
            if attempt.stop_reason is None:
                outcome = await self._outcome_of(attempt)
            else:
                outcome = _outcome_of_stop(attempt)
            attempt.has_ended = True
            self._running.leave_thread(attempt)
            if outcome is not None:
                self._write(attempt, outcome)
                is_being_written = True
            elif self._telling is not None:
                self._telling.stopped(attempt)
        except asyncio.CancelledError:
            if attempt.is_ours and not attempt.is_abandoned:
                raise
        except ExecutorShutDownError:
            _log_unwritten(attempt)
        except Exception:
            logger.exception("the outcome of an attempt was not written", extra=_facts(attempt))
        finally:
            if not is_being_written:
                self._running.remove(attempt)

    def bound(self, attempt: Attempt) -> None:
        """Have the attempt told when its time is over: it waits now, and could be stopped."""
        seconds = attempt.record.timeout_ms / 1000
        attempt.place = self._deadlines.add(attempt, seconds, since=attempt.began_at)
        if attempt.job is not None:
            attempt.job.set_name(attempt.name)

    async def _outcome_of(self, attempt: Attempt) -> Outcome | None:
        """Run the task's code; None means the outcome is not ours."""
        record, plan = attempt.record, attempt.task.plan
        try:
            if self._tracer is not None:
                outcome = await self._perform_traced(attempt, self._tracer)
            else:
                if record.traceparent is not None:
                    current_trace.set(record.traceparent)  # the context is its own
                if isinstance(plan, RunPlan) and not record.is_finalize:
                    # As `_perform` would, without a coroutine of its own: the commonest by far.
                    value = await self._called(attempt, plan, record.input)
                    outcome = self._returned(attempt, value)
                else:
                    outcome = await self._perform(attempt)
        except asyncio.CancelledError:
            return _outcome_of_cancellation(attempt)
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if attempt.stop_reason is not None or isinstance(error, NotBegunError):
                return _outcome_of_stop(attempt)
            if attempt.is_overdue:
                return _timed_out(attempt)
            logger.debug("attempt raised", exc_info=error, extra=_facts(attempt))
            return Raised(self._stored(error))
        if attempt.stop_reason is not None and not attempt.is_ours:
            return None
        return _timed_out(attempt) if attempt.is_overdue else outcome

    async def _perform_traced(self, attempt: Attempt, tracer: Tracer) -> Outcome:
        record = attempt.record
        activity = RunAttempt(
            task_id=record.task_id,
            execution_id=record.execution_id,
            attempt=record.attempt,
            crash_count=record.crash_count,
            executor_id=record.executor_id,
            root_execution_id=record.root_execution_id,
            parent_execution_id=record.parent_execution_id,
        )
        with traced(tracer, activity, record.traceparent) as trace:
            attempt.span = trace
            try:
                return await self._perform(attempt)
            except NotBegunError:  # which is no error of the span
                return HandedBack()

    async def _perform(self, attempt: Attempt) -> Outcome:
        record, task = attempt.record, attempt.task
        payload = record.input
        if record.is_finalize:
            payload = await self._finalize_input(attempt)
            if task.validate_input is not None:
                payload = validated(task, payload)
        plan = task.plan
        match plan:
            case RunPlan():
                return self._returned(attempt, await self._called(attempt, plan, payload))
            case ParentPlan():
                returned = await self._called(attempt, plan, payload)
                return self._spawning.children(_as_cause(attempt), task, returned)
            case SequencePlan() | LoopPlan():
                return self._spawning.first_step(record, plan, payload)
            case CallbackPlan():
                return await self._handed_over(attempt, plan, payload)
            case SleepPlan():
                raise AssertionError(f"sleeping execution {record.execution_id} was claimed")
            case _:
                assert_never(plan)

    def _returned(self, attempt: Attempt, value: object) -> Returned:
        limit = self._options.max_serialized_output_size
        return Returned(encode_output(attempt.task, value, max_size=limit))

    async def _handed_over(self, attempt: Attempt, plan: CallbackPlan, payload: bytes) -> Outcome:
        record = attempt.record
        expires_at = self._now(record) + plan.lease_ms
        handover = Handover(
            task_id=record.task_id,
            execution_id=record.execution_id,
            attempt=record.attempt,
            fence=record.fence,
            input=payload,
            expires_at=min(expires_at, record.attempt_ends_at or expires_at),
        )
        answer = await plan.courier.hand_over(handover)
        if isinstance(answer, Accepted):
            return Parked(plan.lease_ms)
        return self._returned(attempt, answer.output)

    def _called(
        self, attempt: Attempt, plan: RunPlan | ParentPlan, payload: bytes
    ) -> Awaitable[Any]:
        """Call the task's function; what it returns is to be awaited."""
        attempt.on_progress = self._on_progress
        context = _context_of(attempt, self._shutdown_signal)
        if attempt_names.are_wanted:
            attempt_names.name(attempt.record)  # which keeps nothing alive, unlike the context
        arguments: tuple[Any, ...] = (context,)
        if plan.takes_input:
            arguments = (context, _load_input(attempt, payload))
        if plan.is_async:
            awaitable: Awaitable[Any] = plan.function(*arguments)
            return awaitable
        return self._call_plain(attempt, plan.function, arguments)

    async def _call_plain(
        self, attempt: Attempt, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        result = await self._call_in_thread(attempt, function, arguments)
        return await result if inspect.isawaitable(result) else result

    async def _call_in_thread(
        self, attempt: Attempt, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        """Call a plain function in a thread; however this is cancelled, wait until it returns."""
        run = contextvars.copy_context().run
        threads = self._running.threads
        call = attempt.call = threads.call(run, function, *arguments)
        place = None
        if threads.is_crowded:
            place = self._deadlines.add(call, PATIENCE, since=self._loop.time())
        try:
            await call.ended()
        except asyncio.CancelledError:
            attempt.cancel_signal.set()
            if call.withdraw():
                raise
            await _ended(call, attempt)
            if attempt.stop_reason == "shutdown":
                return call.result()
            raise  # what it returned or raised now is nobody's
        finally:
            if place is not None:
                place.pop(call, None)
        return call.result()

    def _write(self, attempt: Attempt, outcome: Outcome) -> None:
        """Have the outcome written with the next batch; `_Writing` hears what became of it."""
        transition = decisions.conclude(attempt.record, outcome, now=self._now(attempt.record))
        if self._telling is not None:
            self._telling.ended(attempt, outcome, transition)
        if attempt.parent is not None:
            transition = self._joins.with_join(attempt, transition)
        writing = _Writing(attempt.record, transition, attempt=attempt, runner=self)
        self._commits.send(writing, writing)

    def written(self, attempt: Attempt, *, matched: bool) -> None:
        """Take note that the storage has answered for the outcome of an attempt."""
        if not matched:
            self._rejected(attempt)
        self._running.remove(attempt)

    def write_again(self, attempt: Attempt, transition: Transition, error: BaseException) -> None:
        """Go on after the storage refused an outcome, or could not be reached."""
        if isinstance(error, ExecutorShutDownError):
            _log_unwritten(attempt)
        elif attempt.is_ours and not attempt.is_abandoned:
            # Without its parent, which joins later: what was refused may be the parent's part.
            transition = msgspec.structs.replace(transition, joins=None)
            attempt.job = self._loop.create_task(
                self._write_patiently(attempt, transition, error), name=attempt.name
            )
            return
        self._running.remove(attempt)

    async def _write_patiently(
        self, attempt: Attempt, transition: Transition, refusal: BaseException
    ) -> None:
        try:
            matched = await self._write_in_spite_of(refusal, attempt.record, transition)
            if not matched:
                self._rejected(attempt)
        except asyncio.CancelledError:
            if attempt.is_ours and not attempt.is_abandoned:
                raise
        except ExecutorShutDownError:
            _log_unwritten(attempt)
        except Exception:
            logger.exception("the outcome of an attempt was not written", extra=_facts(attempt))
        finally:
            self._running.remove(attempt)

    def _stored(self, error: BaseException) -> StoredError:
        if self._options.store_tracebacks:
            return stored_with_traceback(error)
        return to_stored_error(error)

    def _rejected(self, attempt: Attempt) -> None:
        logger.info("a late outcome was rejected: lease lost", extra=_facts(attempt))
        if self._telling is not None:
            self._telling.rejected(attempt)

    async def _write_in_spite_of(
        self, refusal: BaseException, record: ExecutionRecord, transition: Transition
    ) -> bool:
        if isinstance(refusal, StorageUnavailableError):
            try:
                return await self._commits.apply(record, transition)
            except ExecutorShutDownError:
                raise
            except Exception as error:
                refusal = error
        if isinstance(refusal, DuplicateSleepingIdError):
            return await self._write_error(record, to_stored_error(refusal))
        logger.error(
            "an outcome was refused by the storage",
            exc_info=refusal,
            extra={"task_id": record.task_id, "execution_id": record.execution_id},
        )
        message = f"The outcome could not be stored: {refusal}"
        return await self._write_error(record, StoredError(message=message, is_internal=True))

    def _now(self, record: ExecutionRecord) -> int:
        """Not before the claim: that has the storage's clock, which ours follows at a distance."""
        return max(self._clock.now(), record.updated_at)

    async def _write_error(self, record: ExecutionRecord, error: StoredError) -> bool:
        transition = decisions.conclude(record, Raised(error), now=self._now(record))
        return await self._commits.apply(record, transition)


class _Writing(Change, frozen=True, eq=False, kw_only=True):
    """Waits for the storage's answer in the place of the attempt's coroutine, which has ended."""

    attempt: Attempt
    runner: AttemptRunner

    def set_result(self, matched: bool, /) -> None:  # noqa: FBT001 # as a future has it
        self.runner.written(self.attempt, matched=matched)

    def set_exception(self, error: BaseException, /) -> None:
        self.runner.write_again(self.attempt, self.transition, error)


def _timed_out(attempt: Attempt) -> Outcome:
    return Raised(decisions.timed_out(attempt.record))


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
    if attempt.is_overdue:
        return _timed_out(attempt)
    # Nobody here cancelled the attempt: the task's code did, or let a cancellation escape.
    return Raised(StoredError(message="CancelledError: raised by the task", is_retryable=True))


def _as_cause(attempt: Attempt) -> ExecutionRecord:
    """Return the parent as its children see it: they are part of the span of its attempt."""
    record = attempt.record
    if attempt.span is None:
        return record
    return msgspec.structs.replace(record, traceparent=attempt.span)


async def _ended(call: Call, attempt: Attempt) -> None:
    while not call.has_ended:
        try:
            await call.ended()
        except asyncio.CancelledError:
            if attempt.is_abandoned:
                raise


def _load_input(attempt: Attempt, payload: bytes) -> Any:
    if attempt.decoded_input is not NOT_DECODED:
        decoded, attempt.decoded_input = attempt.decoded_input, NOT_DECODED
        return decoded
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
    trace = attempt.span or record.traceparent  # of this attempt, or else of what caused it
    traceparent, tracestate = (None, None) if trace is None else parts_of(trace)
    return TaskContext(
        task_id=record.task_id,
        execution_id=record.execution_id,
        root=root,
        parent=parent,
        attempt=record.attempt,
        prev_error=record.error,
        shutdown_signal=shutdown_signal,
        cancel_signal=attempt.cancel_signal,
        reporter=attempt,
        traceparent=traceparent,
        tracestate=tracestate,
    )


def _log_unwritten(attempt: Attempt) -> None:
    logger.warning("the engine ended before an outcome", extra=_facts(attempt))


def _facts(attempt: Attempt) -> Mapping[str, object]:
    return {
        "task_id": attempt.record.task_id,
        "execution_id": attempt.record.execution_id,
        "attempt": attempt.record.attempt,
        "fence": attempt.record.fence,
    }
