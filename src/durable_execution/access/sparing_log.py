"""A log that strangers cannot fill."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

PAUSE: Final = 1.0
"""Seconds between two lines of the same message."""


class SparingLog:
    """Writes one line of each message in a second, and how many it kept back before that.

    Messages are constants: there is one entry for each, and no more.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._next: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}

    def info(self, message: str, **facts: object) -> None:
        """Write, or keep back, what anybody may bring about."""
        self._write(logging.INFO, message, facts)

    def warning(self, message: str, **facts: object) -> None:
        """Write, or keep back, what an operator may want to change."""
        self._write(logging.WARNING, message, facts)

    def _write(self, level: int, message: str, facts: dict[str, object]) -> None:
        now = self._clock()
        if now < self._next.get(message, now):
            self._kept_back[message] = self._kept_back.get(message, 0) + 1
            return
        self._next[message] = now + PAUSE
        self._logger.log(
            level, message, extra={**facts, "kept_back": self._kept_back.pop(message, 0)}
        )
