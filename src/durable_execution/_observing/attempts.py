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


class AttemptNames:
    """Names the attempt in its context: in its coroutine, its thread, and what they start.

    That is a hundredth of what a small task costs, so attempts are named once somebody has asked
    for it: whoever sets up logging does, for the whole process, as logging is.
    """

    def __init__(self) -> None:
        self.are_wanted = False
        """Whether attempts that begin from now on are to be named."""
        self._current: ContextVar[RunningAttempt | None] = ContextVar(
            "durable_execution_attempt", default=None
        )

    def current(self) -> RunningAttempt | None:
        """Return the attempt that runs here."""
        return self._current.get()

    def name(self, attempt: RunningAttempt) -> None:
        """Name the attempt of this context, which is its own."""
        self._current.set(attempt)


attempt_names: Final = AttemptNames()
