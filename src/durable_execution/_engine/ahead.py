"""How many calls may wait for a thread: as many as will begin in a moment.

A claim takes as long as many functions do. Were only as much claimed as there are idle threads,
they would stay idle meanwhile, and claims be small. But what waits here could run elsewhere. So
nothing waits where functions take long, or took long a little while ago.
"""

from __future__ import annotations

from typing import Final

SOON: Final = 0.05
"""Seconds in which whatever waits should have begun."""
PATIENCE: Final = 0.25
"""Seconds after which what has not begun is handed back."""
_MOST: Final = 3
"""Calls that wait for each thread, however short they are."""
_FADING: Final = 0.9
_SLOW: Final = 1.0
"""What is thought of functions that nobody knows yet, or that kept others waiting in vain."""


class Ahead:
    """Learns from how long functions take. Much at once, that one takes long; slowly, the opposite.

    Args:
        threads: How many there are.
        soon: Seconds in which whatever waits should have begun.
    """

    def __init__(self, threads: int, *, soon: float = SOON) -> None:
        self._threads = threads
        self._soon = soon
        self._slowest = _SLOW
        """The longest of the last functions, in seconds; those before count ever less."""

    @property
    def places(self) -> int:
        """How many calls may wait."""
        if self._slowest > self._soon:
            return 0
        return int(self._threads * min(_MOST, self._soon / self._slowest))

    def note(self, seconds: float) -> None:
        """Take note of how long a function took."""
        faded = self._slowest * _FADING
        self._slowest = seconds if seconds > faded else faded

    def note_vain_wait(self) -> None:
        """Take note of a call that has not begun in time."""
        self._slowest = max(self._slowest, _SLOW, 2 * self._soon)
