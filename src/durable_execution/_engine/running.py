"""What an executor is running right now, and how attempts are stopped: the reason first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import msgspec

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import Task
from durable_execution._engine.deadlines import Place
from durable_execution._engine.signals import OneShot
from durable_execution._engine.threads import Call, Threads, WorkerThreads

NOT_DECODED: Final = object()
LONGEST_WRITE: Final = 0.05
"""Seconds for which an outcome that is being written is worth to be waited for."""
SHORTEST_WAIT: Final = 0.001
"""Seconds that an attempt has to wait for a thread before they count."""
StopReason = Literal["cancelled", "lost", "shutdown"]
"""Why an attempt is stopped: its execution was cancelled, belongs to somebody else, or must go."""


OnProgress = Callable[["Attempt", float, str | None], None]
"""Hears of the progress of an attempt, in any thread."""


class Attempt(msgspec.Struct, eq=False):
    """One attempt under way."""

    record: ExecutionRecord
    task: Task[Any, Any]
    decoded_input: object = NOT_DECODED
    """The input, where it has just been decoded to check it; nobody else has this object."""
    parent: ExecutionRecord | None = None
    """The execution that waits for this one and no other, as far as is known."""
    cancel_signal: OneShot = msgspec.field(default_factory=OneShot)
    stop_reason: StopReason | None = None
    span: str | None = None
    """The span of this attempt, where there is a tracer."""
    began_at: float = 0.0
    """By the event loop's clock."""
    place: Place | None = None
    """Where its deadline is noted, once it has waited: before that nobody could tell it."""
    job: asyncio.Task[None] | None = None
    """Where it runs, from its first step to its last. One cancelled before that would run nothing
    at all, not even what writes the outcome down."""
    has_ended: bool = False
    """Whether the task's code has ended, so that only its outcome is left to be written."""
    is_overdue: bool = False
    """Whether the time of the attempt was over while the task's code still ran."""
    has_thread: bool = False
    """Whether it takes up one of the places for plain functions."""
    call: Call | None = None
    """The call of a plain function."""
    spared: float = 0.0
    """Seconds by which its end was put off, because it had to wait for a thread."""
    on_progress: OnProgress | None = None
    is_abandoned: bool = False
    """Whether nobody waits any more for the thread to end."""
    is_settled: asyncio.Event | None = None
    """Whether the storage has answered for its outcome; made by whoever waits for that first."""

    @property
    def name(self) -> str:
        """Names the attempt, for logs that say what holds the event loop."""
        return f"{self.record.task_id} {self.record.execution_id}"

    def report(self, fraction: float, message: str | None) -> None:
        """Take what the task says of its progress. From any thread."""
        if self.on_progress is not None:
            self.on_progress(self, fraction, message)

    @property
    def is_ours(self) -> bool:
        """Whether, as far as is known, the execution is still this executor's."""
        return self.stop_reason in (None, "shutdown")

    def stop(self, reason: StopReason) -> None:
        """Cancel the attempt, remembering why first.

        A shutdown does not cut off the writing of an outcome; a lost lease does, because the
        guard would reject it anyway.
        """
        if not self.is_ours:
            return
        self.stop_reason = reason
        self.withdraw()
        self.cancel_signal.set()
        is_only_writing = self.has_ended and reason == "shutdown"
        if self.job is not None and not is_only_writing:
            self.job.cancel(reason)

    def withdraw(self) -> None:
        """Take back the call of a function that has not begun."""
        if self.call is not None:
            self.call.withdraw()

    def time_out(self) -> None:
        """Cancel the attempt because its time is over, unless it has ended or is stopped anyway."""
        if self.has_ended or self.stop_reason is not None:
            return
        if self.call is not None:
            loop = asyncio.get_running_loop()
            waited = self.call.waited(loop.time()) - self.spared
            if waited >= SHORTEST_WAIT:
                self.spared += waited
                loop.call_later(waited, self.time_out)
                return
        self.is_overdue = True
        self.cancel_signal.set()
        if self.job is not None:
            self.job.cancel("timed out")

    def abandon(self) -> None:
        """Stop waiting for a thread that does not end."""
        self.is_abandoned = True
        if self.job is not None:
            self.job.cancel()


class Running:
    """The attempts of one executor, the room for more, and the threads for plain functions."""

    def __init__(
        self,
        *,
        capacity: int,
        threads: int,
        on_room: Callable[[], None] | None = None,
        new_threads: Callable[[int], Threads] = WorkerThreads,
    ) -> None:
        self._capacity = capacity
        self._on_room = on_room
        self._thread_capacity = threads
        self._threaded = 0
        self._reserved = 0
        self._reserved_threads = 0
        self._by_id: dict[str, Attempt] = {}
        """By execution, in the order of their start, so that what is done to all is done in the
        same order."""
        self._displaced: dict[Attempt, None] = {}
        """Lost ones whose execution was claimed again before they had ended."""
        self.is_short_of_room = False
        """Whether somebody wants to hear of the next attempt that ends."""
        self.ended = 0
        """Attempts that have ended here, whatever became of them."""
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.threads = new_threads(threads)

    @property
    def room(self) -> int:
        """How many more attempts may start."""
        return self._capacity - len(self) - self._reserved

    @property
    def thread_room(self) -> int:
        """How many more attempts of plain functions may start, or are going to in a moment."""
        places = self._thread_capacity + self.threads.ahead.places
        return min(self.room, places - self._threaded - self._reserved_threads)

    def reserve(self, places: int, threads: int) -> None:
        """Keep room for attempts that may be about to start."""
        self._reserved += places
        self._reserved_threads += threads

    def release(self, places: int, threads: int) -> None:
        """Give back what was reserved."""
        self._reserved -= places
        self._reserved_threads -= threads

    def __len__(self) -> int:
        return len(self._by_id) + len(self._displaced)

    def attempts(self) -> list[Attempt]:
        """Return the attempts under way."""
        return [*self._displaced, *self._by_id.values()]

    def name_of(self, job: asyncio.Task[Any]) -> str:
        """Name what runs in a task of asyncio, for who looks at the loop. Safe in any thread."""
        attempts = [attempt for attempt in self.attempts() if attempt.job is job]
        return attempts[0].name if attempts else job.get_name()

    def held(self) -> tuple[tuple[str, int], ...]:
        """Return (execution id, fence) of what is held. Safe in any thread."""
        return tuple(
            (attempt.record.execution_id, attempt.record.fence)
            for attempt in self.attempts()
            if attempt.is_ours
        )

    def add(self, attempt: Attempt) -> None:
        """Count an attempt that starts.

        Its claim proves that an earlier one of the same execution is lost, whether or not a beat
        has said so: a beat names executions, and must not be asked about two claims of one.
        """
        execution_id = attempt.record.execution_id
        if not self._by_id:
            self._is_empty.clear()
        else:
            earlier = self._by_id.pop(execution_id, None)
            if earlier is not None:
                self._displaced[earlier] = None
                earlier.stop("lost")
        self._by_id[execution_id] = attempt
        if attempt.task.runs_in_thread:
            attempt.has_thread = True
            self._threaded += 1

    def leave_thread(self, attempt: Attempt) -> None:
        """Give free the thread of an attempt whose outcome is still to be written."""
        if attempt.has_thread:
            attempt.has_thread = False
            self._threaded -= 1
            self._tell_of_room()

    def remove(self, attempt: Attempt) -> None:
        """Give free the place of an attempt that has ended."""
        execution_id = attempt.record.execution_id
        # A lost execution may have come back while its old thread was still running.
        if self._by_id.get(execution_id) is attempt:
            del self._by_id[execution_id]
            self.ended += 1
        elif attempt in self._displaced:
            del self._displaced[attempt]
            self.ended += 1
        if attempt.has_thread:
            attempt.has_thread = False
            self._threaded -= 1
        if attempt.place is not None:
            attempt.place.pop(attempt, None)
        if not self._by_id and not self._displaced:
            self._is_empty.set()
        if attempt.is_settled is not None:
            attempt.is_settled.set()
        self._tell_of_room()

    def is_settling(self, execution_id: str) -> bool:
        """Whether an attempt of this execution has ended here, and its outcome is being written."""
        attempt = self._by_id.get(execution_id)
        return attempt is not None and attempt.has_ended

    async def settled(self, execution_id: str) -> None:
        """Wait until that outcome is written; not for long, as the storage may be out of reach."""
        attempt = self._by_id.get(execution_id)
        if attempt is None or not attempt.has_ended:
            return
        if attempt.is_settled is None:
            attempt.is_settled = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WRITE):
                await attempt.is_settled.wait()

    def _tell_of_room(self) -> None:
        if self.is_short_of_room and self._on_room is not None:
            self._on_room()

    def stop(self, execution_id: str, reason: StopReason) -> None:
        """Stop an execution if it runs here."""
        attempt = self._by_id.get(execution_id)
        if attempt is not None:
            attempt.stop(reason)

    def stop_lost(self, held: Iterable[tuple[str, int]]) -> int:
        """Stop those of these (execution id, fence) that run here; return how many did."""
        found = [
            attempt
            for execution_id, fence in held
            if (attempt := self._by_id.get(execution_id)) is not None
            # It may run here again by a later claim, which is not what was lost.
            and attempt.record.fence == fence
            # An outcome that was just written looks lost to the beat that crossed it.
            and not attempt.has_ended
        ]
        for attempt in found:
            attempt.stop("lost")
        return len(found)

    def stop_all(self, reason: StopReason) -> None:
        """Stop everything, but no outcome of a lost lease: its guard tells whether it holds."""
        attempts = self.attempts()
        for attempt in attempts:
            attempt.withdraw()  # before any thread sees a signal, ends and takes the next
        for attempt in attempts:
            if not (attempt.has_ended and reason == "lost"):
                attempt.stop(reason)

    def abandon_all(self) -> int:
        """Stop waiting for what has not stopped, and return how many those are."""
        left = self.attempts()
        for attempt in left:
            attempt.abandon()
        return len(left)

    async def drained(self) -> None:
        """Wait until nothing runs."""
        await self._is_empty.wait()
