"""Activities: what spans are made around."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class EnqueueTasks(msgspec.Struct, frozen=True):
    """Executions of one task are enqueued, or of several: then there is no task id."""

    task_id: str | None
    execution_id: str | None
    """Of a single one."""
    count: int = 1


class RunAttempt(msgspec.Struct, frozen=True):
    """The code of a task runs."""

    task_id: str
    execution_id: str
    attempt: int
    crash_count: int
    executor_id: str | None
    root_execution_id: str | None
    parent_execution_id: str | None


class ServeCall(msgspec.Struct, frozen=True):
    """A procedure answers a call."""

    procedure: str


class MakeCall(msgspec.Struct, frozen=True):
    """A procedure is called over the network."""

    procedure: str
    url: str
    """Where the procedures are, without a query."""


Activity: TypeAlias = EnqueueTasks | RunAttempt | ServeCall | MakeCall
