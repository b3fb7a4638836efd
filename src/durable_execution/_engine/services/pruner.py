"""Deletes executions that finished long ago, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from durable_execution._engine.clock import Clock
from durable_execution._engine.ids import oldest_id_after
from durable_execution._engine.wakeups import Wakeup
from durable_execution.storage.protocol import Storage

logger = logging.getLogger(__name__)

PRUNE_LIMIT: Final = 1000
"""Rows that one turn deletes at most."""
REST: Final = 4.0
"""Times as long as a batch took is the pause after it: pruning gets a fifth of the time."""
LEAST_REST: Final = 1.0
"""The same, once batch after batch has been full: what becomes old must not outrun it."""
_HASTE: Final = 0.99
"""By how much each full batch shortens the rests: to the least in some 140 of them."""
SHORTEST_REST: Final = 0.1
SHORTEST_LOOK_INTERVAL: Final = 5.0
LONGEST_LOOK_INTERVAL: Final = 60.0
"""Seconds between looks for what has become old; half the retention where that is in between."""


class Pruner:
    """Keeps finished executions for as long as they are to be kept.

    Every executor of a storage with a retention prunes; what several find is deleted once. Jitter
    keeps them from looking at the same moment.

    Args:
        storage: The storage.
        clock: The storage's time.
        retention_ms: Milliseconds that an execution is kept after its root has finished.
        jitter: Returns numbers from 0 to 1.
    """

    name = "pruner"

    def __init__(
        self, storage: Storage, clock: Clock, *, retention_ms: int, jitter: Callable[[], float]
    ) -> None:
        self.wakeup = Wakeup()
        self._storage = storage
        self._clock = clock
        self._retention_ms = retention_ms
        self._jitter = jitter
        self._interval = min(
            LONGEST_LOOK_INTERVAL, max(SHORTEST_LOOK_INTERVAL, retention_ms / 2000)
        )
        self._next_turn: float | None = None
        self._rest = REST

    async def run_once(self) -> bool:
        """Delete a batch, if it is time to; the first turn only chooses when that is."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._next_turn is None:
            self._next_turn = began + self._interval * self._jitter()
        if began < self._next_turn:
            return False
        before = self._clock.now() - self._retention_ms
        deleted = await self._storage.delete_finished(
            before, PRUNE_LIMIT, id_before=oldest_id_after(before)
        )
        ended = loop.time()
        rest = self._rest_after(deleted, ended - began) if deleted else self._interval
        self._next_turn = ended + rest * (0.5 + self._jitter())
        if deleted:
            logger.debug("deleted old executions", extra={"count": deleted})
        return False

    def _rest_after(self, deleted: int, took: float) -> float:
        # A batch that had no room for one more tree is a full one, too.
        is_full = deleted > PRUNE_LIMIT // 2
        self._rest = max(LEAST_REST, self._rest * _HASTE) if is_full else REST
        return self._rest * max(SHORTEST_REST / REST, took)

    def pause(self) -> float:
        """Until the next batch."""
        now = asyncio.get_running_loop().time()
        return 0.0 if self._next_turn is None else max(0.0, self._next_turn - now)
