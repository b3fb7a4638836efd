"""Facts: what has happened, told once, to whoever counts or writes it down.

Durations are seconds, and so is everything else here. A fact names no input, output or error text.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

AttemptOutcome: TypeAlias = Literal[
    "completed",
    "spawned",
    "parked",
    "retried",
    "failed",
    "timed_out",
    "cancelled",
    "handed_back",
    "lost",
]
"""How an attempt ended: with an output, with children, outside, or not well."""


class TasksEnqueued(msgspec.Struct, frozen=True):
    """New executions are in the storage: not those that were there under their keys."""

    task_id: str
    count: int


class AttemptStarted(msgspec.Struct, frozen=True):
    """An attempt is about to run. Told where it runs, so that what is set there, its code sees."""

    task_id: str
    execution_id: str
    attempt: int
    lag: float
    """From when it should have started until it was taken, by the storage's clock."""


class AttemptEnded(msgspec.Struct, frozen=True):
    """The code of an attempt has ended; its outcome is about to be written."""

    task_id: str
    execution_id: str
    attempt: int
    outcome: AttemptOutcome
    duration: float


class AttemptLost(msgspec.Struct, frozen=True):
    """The outcome of an attempt came too late: its execution is somebody else's."""

    task_id: str
    execution_id: str


class ExecutionFinished(msgspec.Struct, frozen=True):
    """An execution has finished, by what this executor wrote."""

    task_id: str
    execution_id: str
    status: str
    duration: float
    """From when it was enqueued."""


class ExecutionRescued(msgspec.Struct, frozen=True):
    """An execution was taken from an executor that died."""

    task_id: str
    execution_id: str
    is_given_up: bool
    """Whether that failed it, because its crash budget is used up."""


class LeaseEnded(msgspec.Struct, frozen=True):
    """No beat came through for a whole lease: the executor stops its attempts. From any thread."""

    executor_id: str


class LoopStalled(msgspec.Struct, frozen=True):
    """The event loop has not answered for so long; told once for each stall. From any thread."""

    executor_id: str
    silence: float


class ExecutorSeen(msgspec.Struct, frozen=True):
    """How an executor that runs is doing; told every few seconds."""

    executor_id: str
    attempts_running: int
    attempts_limit: int
    queue_age: float
    """How long the oldest ready execution has waited, whoever may run it."""


class BatchWritten(msgspec.Struct, frozen=True):
    """One flush of a batcher, whether it was written or refused."""

    verb: str
    """What is batched: `insert`, `insert_all`, `apply`, `get` or `children_of`."""
    size: int
    duration: float


class StorageCalled(msgspec.Struct, frozen=True):
    """The storage answered, or did not. Told in any thread."""

    verb: str
    duration: float
    error: str | None
    """The name of the error's class."""


class CallServed(msgspec.Struct, frozen=True):
    """A procedure has answered a call."""

    procedure: str
    code: str | None
    """The code of the error that was answered."""
    duration: float


class CallMade(msgspec.Struct, frozen=True):
    """A call has been answered, or not."""

    procedure: str
    code: str | None
    """The code of the error, or the name of its class where there was no answer."""
    duration: float


Fact: TypeAlias = (
    TasksEnqueued
    | AttemptStarted
    | AttemptEnded
    | AttemptLost
    | ExecutionFinished
    | ExecutionRescued
    | LeaseEnded
    | LoopStalled
    | ExecutorSeen
    | BatchWritten
    | StorageCalled
    | CallServed
    | CallMade
)
