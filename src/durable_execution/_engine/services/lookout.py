"""Tells observers what is no event: how old the queue is, and how much runs here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from durable_execution._engine.clock import Clock
from durable_execution._engine.running import Running
from durable_execution._engine.wakeups import Wakeup
from durable_execution._observing import ExecutorSeen, Fact
from durable_execution.storage.protocol import Storage

LOOK_INTERVAL: Final = 15.0
"""Seconds between two looks: as often as metrics are usually collected."""


class Lookout:
    """Looks every few seconds; there is one only where somebody observes."""

    name = "lookout"

    def __init__(
        self,
        storage: Storage,
        running: Running,
        clock: Clock,
        *,
        executor_id: str,
        capacity: int,
        tell: Callable[[Fact], None],
    ) -> None:
        self.wakeup = Wakeup()
        self._storage = storage
        self._running = running
        self._clock = clock
        self._executor_id = executor_id
        self._capacity = capacity
        self._tell = tell

    async def run_once(self) -> bool:
        """Look once, and tell."""
        start_at = await self._storage.earliest_ready()
        age = 0.0 if start_at is None else max(0, self._clock.now() - start_at) / 1000
        self._tell(ExecutorSeen(self._executor_id, len(self._running), self._capacity, age))
        return False

    def pause(self) -> float:
        """Until the next look."""
        return LOOK_INTERVAL
