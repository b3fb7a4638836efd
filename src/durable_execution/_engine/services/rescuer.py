"""Takes back the work of executors that died."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from durable_execution._core import decisions
from durable_execution._core.patch import Finish
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.clock import Clock
from durable_execution._engine.commits import Commits
from durable_execution._engine.wakeups import Wakeup
from durable_execution._observing import ExecutionRescued, Fact
from durable_execution.storage.protocol import Storage

logger = logging.getLogger(__name__)

RESCUE_LIMIT: Final = 500
LONG_PAUSE: Final = 3600.0
"""Every beat of the heart tells whether there is anything to rescue, so nobody polls."""


class Rescuer:
    """Returns orphans to the queue, or ends those that have used up their crash budget."""

    name = "rescuer"

    def __init__(
        self,
        storage: Storage,
        commits: Commits,
        clock: Clock,
        *,
        max_crash_recoveries: int,
        tell: Callable[[Fact], None] | None = None,
    ) -> None:
        self.wakeup = Wakeup()
        self._storage = storage
        self._commits = commits
        self._clock = clock
        self._max_crash_recoveries = max_crash_recoveries
        self._tell = tell

    async def run_once(self) -> bool:
        """Rescue a bounded number of orphans."""
        orphans = await self._storage.orphans(RESCUE_LIMIT)
        await self.rescue(orphans)
        return len(orphans) == RESCUE_LIMIT

    async def rescue(self, orphans: Sequence[ExecutionRecord]) -> None:
        """Return these to the queue, or end them."""
        now = self._clock.now()
        moves = [
            decisions.rescue(orphan, max_crash_recoveries=self._max_crash_recoveries, now=now)
            for orphan in orphans
        ]
        rescued = await asyncio.gather(*map(self._commits.apply, orphans, moves))
        if self._tell is not None:
            for orphan, move, was_rescued in zip(orphans, moves, rescued, strict=True):
                if was_rescued:
                    is_given_up = isinstance(move.patch, Finish)
                    self._tell(ExecutionRescued(orphan.task_id, orphan.execution_id, is_given_up))
        if any(rescued):
            logger.info("rescued executions of dead executors", extra={"count": sum(rescued)})

    def pause(self) -> float:
        """Until the heart says so."""
        return LONG_PAUSE
