"""What a task is told about the attempt it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from durable_execution._core.progress import ProgressReporter, check_progress
from durable_execution.errors import StoredError


class Signal(Protocol):
    """Something that happens once, for coroutines and threads alike."""

    def is_set(self) -> bool:
        """Whether it has happened; cheap, safe in any thread."""
        ...

    async def wait(self) -> None:
        """Wait on the event loop until it happens."""
        ...

    def wait_in_thread(self, timeout: float | None = None) -> bool:
        """Block this thread until it happens or `timeout` seconds passed; return `is_set()`."""
        ...


@dataclass(frozen=True, slots=True)
class TaskExecutionSummary:
    """Names one execution."""

    task_id: str
    execution_id: str


@dataclass(frozen=True, slots=True)
class ParentTaskExecutionSummary(TaskExecutionSummary):
    """Names the parent of an execution, and says where the execution stands below it."""

    index_in_parent_children: int
    is_only_child_of_parent: bool
    is_finalize_of_parent: bool


class TaskContext(msgspec.Struct, frozen=True, kw_only=True):
    """The first argument of every task function.

    `attempt` counts from 0; `prev_error` is why the attempt before this one failed. Attempts that
    ended with their executor (a crash, a deploy) are not counted: use `execution_id` as the
    idempotency key of outside effects.

    `shutdown_signal` is set when the executor begins to shut down. `cancel_signal` is set when the
    execution is cancelled, is past its timeout, or was lost to another executor: coroutines are
    then cancelled anyway, but a plain function runs in a thread that nobody can stop, and should
    look at it from time to time.

    `traceparent` is the span of the attempt, or what caused its execution, if that is part of a
    trace: to be sent along with what the task asks of others, and `tracestate` with it where there
    is one. Clients of this library do.
    """

    task_id: str
    execution_id: str
    root: TaskExecutionSummary | None = None
    parent: ParentTaskExecutionSummary | None = None
    attempt: int = 0
    prev_error: StoredError | None = None
    shutdown_signal: Signal
    cancel_signal: Signal
    reporter: ProgressReporter | None = None
    traceparent: str | None = None
    tracestate: str | None = None

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Tell those who watch the execution how far it has come. From coroutines and threads.

        Costs next to nothing, as often as it is called: the newest word is written a few times a
        second, and before the attempt ends. Never waits, and never fails for the storage.

        Args:
            fraction: From 0 to 1.
            message: What is being done, at most 1,000 characters.

        Raises:
            InvalidOptionError: The fraction is no such number, or the message no such text.
        """
        check_progress(fraction, message)
        if self.reporter is not None:
            self.reporter.report(float(fraction), message)
