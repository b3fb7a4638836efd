"""Facts as log records, for who keeps logs and no metrics."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from durable_execution._observing import (
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    CallMade,
    CallServed,
    ExecutionFinished,
    ExecutionRescued,
    Fact,
)

_EVENTS: Final[dict[type[Fact], str]] = {
    AttemptStarted: "attempt started",
    AttemptEnded: "attempt ended",
    AttemptLost: "attempt lost",
    ExecutionFinished: "execution finished",
    ExecutionRescued: "execution rescued",
    CallServed: "call served",
    CallMade: "call made",
}
"""What there is one line of for each thing that is worked on; the rest is for metrics."""


class LoggingObserver:
    """Logs a line for each attempt, finish, rescue and call, its fields in `extra`.

        ExecutorOptions(observers=[LoggingObserver()])

    Args:
        logger: `durable_execution.facts`, unless given.
        level: Of the lines.
    """

    def __init__(
        self, logger: logging.Logger | None = None, level: int | str = logging.INFO
    ) -> None:
        self._logger = logger or logging.getLogger("durable_execution.facts")
        named = logging.getLevelName(level) if isinstance(level, str) else level
        if not isinstance(named, int):
            raise ValueError(f"level: expected one of logging's, got {level!r}")
        self._level = named

    def __call__(self, fact: Fact, /) -> None:
        """Log a fact, if there is a line for its kind."""
        event = _EVENTS.get(type(fact))
        if event is not None and self._logger.isEnabledFor(self._level):
            self._logger.log(self._level, event, extra=msgspec.structs.asdict(fact))
