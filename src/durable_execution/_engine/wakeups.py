"""How the parts of an executor tell one another that there is something to do."""

from __future__ import annotations

import asyncio
import contextlib


class Wakeup:
    """Wakes one loop: many calls before it looks are one wake-up, none is lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.was_set = False
        """Whether the last wait ended with a wake-up, rather than with its time."""

    def set(self) -> None:
        """Wake the loop, now or when it next looks. Only on the event loop."""
        self._event.set()

    def set_after(self, seconds: float) -> None:
        """Wake the loop in that many seconds."""
        asyncio.get_running_loop().call_later(seconds, self._event.set)

    async def wait(self, timeout: float) -> None:
        """Wait for a wake-up, at most `timeout` seconds, and take it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        self.was_set = self._event.is_set()
        self._event.clear()
