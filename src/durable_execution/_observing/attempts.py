"""The attempt whose code is running here, for those who write logs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Protocol


class RunningAttempt(Protocol):
    """The names of an attempt."""

    @property
    def task_id(self) -> str:
        """The id of its task."""
        ...

    @property
    def execution_id(self) -> str:
        """The id of its execution."""
        ...

    @property
    def attempt(self) -> int:
        """Its number, from 0."""
        ...


current_attempt: Final[ContextVar[RunningAttempt | None]] = ContextVar(
    "durable_execution_attempt", default=None
)
"""Set in the context of an attempt: in its coroutine, its thread, and what they start."""
