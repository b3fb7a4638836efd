"""The engine's clock: the storage's time, kept by an offset to the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_clock() -> int:
    """Return the milliseconds since the epoch by this machine's clock."""
    return time.time_ns() // 1_000_000


class Clock:
    """Tells the storage's time, so that executors with wrong clocks agree with the others.

    Every beat of the heart brings the storage's clock; `sync` keeps the difference.
    """

    def __init__(self, wall: Callable[[], int] = wall_clock) -> None:
        self._wall = wall
        self._offset = 0
        self._is_synced = False

    def now(self) -> int:
        """Return the milliseconds since the epoch by the storage's clock."""
        return self._wall() + self._offset

    def sync(self, storage_now: int, *, took_ms: int = 0) -> None:
        """Adopt the storage's clock, which was read at some instant of the last `took_ms`.

        This clock is never ahead: what is due by it is due in the storage. So the latest that the
        instant can have been counts, of all answers the one that says the most: a quick one teaches
        more than one that waited for a lock or a slow network.
        """
        least = storage_now - self._wall()
        is_possible = self._is_synced and self._offset <= least + took_ms
        self._offset = max(self._offset, least) if is_possible else least
        self._is_synced = True
