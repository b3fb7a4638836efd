"""How often to look for what other processes change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from durable_execution.storage.protocol import Storage

UNTOLD_INTERVAL: Final = 1.0
"""Seconds between two looks at the most while the storage does not tell what others change."""
CALM_INTERVAL: Final = 4.0
"""Seconds between them once nothing was found for a while, on a storage that never tells."""
CALM_AFTER: Final = 10.0
"""Seconds after which that while is over."""
BUSY_INTERVAL: Final = 0.01
"""Seconds between them right after a look found what nobody had told of."""
BUSY_SHARE: Final = 0.1
"""The pause in parts of the time since then: the longer nothing comes, the rarer the looks."""


class Pace:
    """The pause between two looks, which depends on whether the storage tells of changes.

    One that tells is looked at every `poll_interval`, as a safety net. One that has gone deaf for
    the moment, and one that cannot tell, is looked at every second; the latter less often when
    there was nothing to do for a while, so that an idle executor asks next to nothing.

    Where looks find what nobody told of, others are at work who are not heard, and who wait for
    answers. Then looks follow one another closely, and ever less so: about sixty in ten seconds.
    Where finds are told of there are none of these.
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
        self._surprised_at: float | None = None

    def note_find(self, *, was_told: bool) -> None:
        """Take note that a look found something, which somebody had told of or not."""
        self._found_at = self._monotonic()
        if not was_told:
            self._surprised_at = self._found_at

    @property
    def interval(self) -> float:
        """Seconds until the next look."""
        if self._storage.can_notify and not self._storage.is_deaf:
            return self._poll_interval
        now = self._monotonic()
        is_calm = now - self._found_at > CALM_AFTER
        longest = CALM_INTERVAL if is_calm and not self._storage.can_notify else UNTOLD_INTERVAL
        if self._surprised_at is not None:
            longest = min(longest, max(BUSY_INTERVAL, BUSY_SHARE * (now - self._surprised_at)))
        return min(self._poll_interval, longest)
