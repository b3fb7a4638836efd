"""What is known of the end of the process before it comes, and who has to hear of it early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from durable_execution.errors import ExecutorShutDownError


class Departure:
    """Lets go of those outside who wait, before anything else ends."""

    def __init__(self) -> None:
        self._is_announced = False
        self._waits: set[asyncio.Timeout] = set()

    @property
    def waits(self) -> int:
        """How many wait."""
        return len(self._waits)

    def announce(self) -> None:
        """End all waits, and those to come at once."""
        self._is_announced = True
        now = asyncio.get_running_loop().time() if self._waits else 0.0
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(now)

    @asynccontextmanager
    async def cutting(self) -> AsyncIterator[None]:
        """Bound a wait for somebody outside, who can wait elsewhere as well.

        Raises:
            ExecutorShutDownError: The shutdown was announced, before or meanwhile.
        """
        if self._is_announced:
            raise _leaving()
        try:
            async with asyncio.timeout(None) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError as error:
            if not wait.expired():
                raise
            raise _leaving() from error


def _leaving() -> ExecutorShutDownError:
    return ExecutorShutDownError("Executor is about to shut down; ask another one")
