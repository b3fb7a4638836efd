"""What those who watch an execution are told, told apart by `type`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeAlias, TypeVar

from durable_execution._core.views import TaskExecution

OutputT = TypeVar("OutputT")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskProgress:
    """How far an execution has come, as its task said last with `ctx.progress`.

    `fraction` is from 0 to 1. It may fall: another attempt begins anew.
    """

    fraction: float
    message: str | None = None
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChange(Generic[OutputT]):
    """The execution as it has become. Watching `after` this `id` goes on from here."""

    id: str
    execution: TaskExecution[OutputT]
    type: Literal["status"] = "status"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgressChange:
    """The newest progress. Watching `after` this `id` goes on from here."""

    id: str
    progress: TaskProgress
    type: Literal["progress"] = "progress"


TaskExecutionChange: TypeAlias = StatusChange[OutputT] | ProgressChange
