"""The pace of a read that serves many: at once after a rest, and the longer it took the rarer."""

from __future__ import annotations

import asyncio
from typing import Final

READ_LIMIT: Final = 1000
"""Rows that are read together."""
REST: Final = 3
"""How many times as long as a read took to rest after it: many are read for less often."""
LONGEST_REST: Final = 1.0
"""Seconds: a read that hung for long, as in an outage, must not be followed by a long silence."""


class SharedReading:
    """Keeps the rests between the rounds of a chore that reads.

    Args:
        shortest_rest: Seconds between two rounds at least, however many changes are reported.
    """

    def __init__(self, shortest_rest: float) -> None:
        self._shortest_rest = shortest_rest
        self._not_before = 0.0
        self._begun = 0.0

    async def begin(self) -> None:
        """Wait until the rest is over."""
        loop = asyncio.get_running_loop()
        self._begun = loop.time()
        if self._begun < self._not_before:
            await asyncio.sleep(self._not_before - self._begun)
            self._begun = loop.time()

    def end(self) -> None:
        """Begin the rest that the round has earned."""
        ended = asyncio.get_running_loop().time()
        rest = min(LONGEST_REST, REST * (ended - self._begun))
        self._not_before = ended + max(self._shortest_rest, rest)
