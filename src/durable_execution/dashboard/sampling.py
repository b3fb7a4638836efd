"""Taking samples of how the system does: every ten seconds, or when somebody looks."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from durable_execution._core.status import FINISHED
from durable_execution._engine.ids import newest_id_before
from durable_execution.dashboard.clock import now_ms
from durable_execution.dashboard.figures import figures_of
from durable_execution.dashboard.reach import since_of
from durable_execution.dashboard.samples import INTERVAL_MS, Sample, Samples, counted_pace, pace_of
from durable_execution.errors import DurableExecutionError
from durable_execution.executor import DurableExecutor
from durable_execution.storage.search import Search

LOOKED_AT: Final = 1_000
"""Executions that ended lately of which a sample is made, at most."""
_WALKED: Final = 20_000
"""Rows among which they are looked for, about."""
WINDOW_MS: Final = 60_000
"""A pace is that of the last minute."""
LONGEST_WALK_MS: Final = 3_600_000
_SHORTEST_WALK_MS: Final = 2 * WINDOW_MS

_logger = logging.getLogger(__name__)


class Sampler:
    """Takes samples, and keeps those of one hour. Belongs to one event loop."""

    def __init__(self, executor: DurableExecutor) -> None:
        self._executor = executor
        self._lock = asyncio.Lock()
        self._chore: asyncio.Task[None] | None = None
        self.samples: Final = Samples()

    @property
    def is_always_on(self) -> bool:
        """Whether samples are taken while nobody looks, too."""
        return self._chore is not None

    async def start(self) -> None:
        """Take samples from now on, until `stop`."""
        self._chore = asyncio.create_task(self._go_on(), name="dashboard sampler")

    async def stop(self) -> None:
        """Take no more; those that were taken are kept."""
        chore, self._chore = self._chore, None
        if chore is not None:
            chore.cancel()
            with suppress(asyncio.CancelledError):
                await chore

    async def sample(self, *, now: int) -> None:
        """Take a sample, unless the newest is young enough.

        Raises:
            StorageError: The storage cannot be reached.
        """
        async with self._lock:
            newest = self.samples.newest
            if newest is not None and now - newest.at < INTERVAL_MS * 0.9:
                return
            self.samples.add(await self._taken(now))

    async def _go_on(self) -> None:
        while True:
            try:
                await self.sample(now=now_ms())
            except DurableExecutionError:
                _logger.debug("no sample for the dashboard", exc_info=True)
            except Exception:
                _logger.exception("A sample for the dashboard cannot be taken")
            await asyncio.sleep(INTERVAL_MS / 1000)

    async def _taken(self, now: int) -> Sample:
        figures = await figures_of(self._executor)
        finished = await self._executor.search_stored_task_executions(
            Search(
                statuses=FINISHED,
                finished_from=now - WINDOW_MS,
                id_from=newest_id_before(now - await self._walk(now)),
                limit=LOOKED_AT,
            )
        )
        is_all = finished.next_cursor is None
        pace = pace_of(finished.records, window_ms=WINDOW_MS, is_all=is_all)
        pace = counted_pace(pace, self.samples, figures, at=now)
        return Sample(at=now, figures=figures, pace=pace)

    async def _walk(self, now: int) -> int:
        """How far back executions were created among which to look: bounded by their number."""
        since = await since_of(self._executor, _WALKED)
        if since is None:
            return LONGEST_WALK_MS
        return max(_SHORTEST_WALK_MS, min(LONGEST_WALK_MS, now - since))
