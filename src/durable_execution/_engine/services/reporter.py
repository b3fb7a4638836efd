"""Writes the progress of tasks: at once after a rest, then a few times a second at the most."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from durable_execution._engine.reports import Reports
from durable_execution._engine.wakeups import Wakeup

REPORT_INTERVAL: Final = 0.25
"""Seconds between two writes."""
NEVER: Final = 3600.0
"""Seconds after which to look whether there is something that nobody announced; there is not."""


class Reporter:
    """Keeps writing what `Reports` has collected."""

    name = "reporter"

    def __init__(self) -> None:
        self.wakeup = Wakeup()
        self._reports: Reports | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._not_before = 0.0

    def begin(self, reports: Reports) -> None:
        """Learn on the event loop what to write."""
        self._reports = reports
        self._loop = asyncio.get_running_loop()

    def announce(self) -> None:
        """Take note that there is something to write. From any thread."""
        # A thread that outlived the executor may still report; nobody listens.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self.wakeup.set)

    async def run_once(self) -> bool:
        """Write all that there is."""
        if self._reports is None:
            return False
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            await asyncio.sleep(self._not_before - loop.time())
        self._not_before = loop.time() + REPORT_INTERVAL
        await self._reports.write()
        return False

    def pause(self) -> float:
        """Until somebody has something to say."""
        return NEVER
