"""Tells attempts that their time is over: one timer for all, instead of one for each.

An attempt that ends in time, as nearly all do, costs an entry in a dictionary and its removal. The
price is a little punctuality: a deadline is kept up to a thousandth of the timeout late (at least
a millisecond), and never early. So there are few places, however long the timeouts.
"""

from __future__ import annotations

import asyncio
import heapq
from functools import lru_cache
from math import ceil, floor, log2
from typing import Final, Protocol

_SHARE: Final = 1024
_FINEST: Final = 2.0**-10


class Bounded(Protocol):
    """What has a deadline. Hashable by identity."""

    def time_out(self) -> None:
        """Take note that the time is over."""
        ...


Place = dict[Bounded, None]
"""All whose deadlines fall together. Keeps the order, so that every run is alike."""


class Deadlines:
    """What is to be told when its time is over. Belongs to the event loop that it is made on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._places: dict[float, Place] = {}
        self._instants: list[float] = []
        """The keys of `_places`, as a heap."""
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = 0.0

    def add(self, bounded: Bounded, seconds: float, *, since: float) -> Place:
        """Have it told so many seconds after that instant, unless it leaves its place.

        The instant is one of the event loop's clock; the place is returned.
        """
        grain = _grain(seconds)
        instant = ceil((since + seconds) / grain) * grain
        place = self._places.get(instant)
        if place is None:
            place = self._places[instant] = {}
            heapq.heappush(self._instants, instant)
            if self._timer is None or instant < self._set_for:
                self._set_timer()
        place[bounded] = None
        return place

    def close(self) -> None:
        """Tell nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._set_for = self._instants[0]
        self._timer = self._loop.call_at(self._set_for, self._ring)

    def _ring(self) -> None:
        self._timer = None
        while self._instants and self._instants[0] <= self._set_for:
            for bounded in list(self._places.pop(heapq.heappop(self._instants))):
                bounded.time_out()
        if self._instants:
            self._set_timer()


@lru_cache(maxsize=256)
def _grain(seconds: float) -> float:
    """A power of two, whose multiples are exact and meet those of every other grain."""
    return max(_FINEST, 2.0 ** floor(log2(max(seconds, _FINEST) / _SHARE)))
