"""How long to wait before trying again when the storage cannot be reached."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FIRST_PAUSE: Final = 0.025
LONGEST_PAUSE: Final = 1.0


class Patience:
    """Pauses that double from 25 ms to a second, each shortened by chance to spread the herd."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._pause = FIRST_PAUSE

    def next_pause(self) -> float:
        """Return the seconds to wait before the next try."""
        pause = self._pause * (1 + self._jitter()) / 2
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return pause

    def reset(self) -> None:
        """Begin again after a success."""
        self._pause = FIRST_PAUSE
