"""How often to look for what other processes change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from durable_execution.storage.protocol import Storage

UNTOLD_INTERVAL: Final = 1.0
"""Seconds between two looks at the most while the storage does not tell what others change."""
CALM_INTERVAL: Final = 3.0
"""Seconds between them once nothing was found for a while, on a storage that never tells."""
CALM_AFTER: Final = 15.0
"""Seconds after which that while is over."""


class Pace:
    """The pause between two looks, which depends on whether the storage tells of changes.

    One that tells is looked at every `poll_interval`, as a safety net. One that has gone deaf for
    the moment, and one that cannot tell, is looked at every second; the latter less often when
    there was nothing to do for a while, so that an idle executor asks next to nothing.
    """

    def __init__(
        self,
        storage: Storage,
        poll_interval: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._poll_interval = poll_interval
        self._monotonic = monotonic
        self._found_at = monotonic()

    def note_find(self) -> None:
        """Take note that a look found something."""
        self._found_at = self._monotonic()

    @property
    def interval(self) -> float:
        """Seconds until the next look."""
        if self._storage.can_notify and not self._storage.is_deaf:
            return self._poll_interval
        is_calm = self._monotonic() - self._found_at > CALM_AFTER
        longest = CALM_INTERVAL if is_calm and not self._storage.can_notify else UNTOLD_INTERVAL
        return min(self._poll_interval, longest)
