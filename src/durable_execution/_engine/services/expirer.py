"""Ends what waits for somebody outside who was not heard of in time."""

from __future__ import annotations

import asyncio
from typing import Final

from durable_execution._core import decisions
from durable_execution._engine.clock import Clock
from durable_execution._engine.commits import Commits
from durable_execution._engine.wakeups import Wakeup
from durable_execution.storage.protocol import Storage

EXPIRE_LIMIT: Final = 500
LOOK_INTERVAL: Final = 15.0
"""Seconds between looks for what other processes let sleep or parked."""


class Expirer:
    """Times sleepers out, and ends the attempts of parked rows, when their time has come."""

    name = "expirer"

    def __init__(self, storage: Storage, commits: Commits, clock: Clock) -> None:
        self.wakeup = Wakeup()
        self._storage = storage
        self._commits = commits
        self._clock = clock
        self._next_expires_at: int | None = None
        self._next_look = 0.0

    def announce(self, expires_at: int) -> None:
        """Take note of a row that was just let sleep, parked or extended here."""
        if self._next_expires_at is None or expires_at < self._next_expires_at:
            self._next_expires_at = expires_at
            self.wakeup.set()

    async def run_once(self) -> bool:
        """Expire a bounded number of rows, if one is due or it is time to look."""
        if self.pause() > 0:
            return False
        self._next_expires_at = None
        found = await self._storage.expired_sleepers(EXPIRE_LIMIT)
        self._next_look = asyncio.get_running_loop().time() + LOOK_INTERVAL
        if found.next_expires_at is not None:
            self.announce(found.next_expires_at)
        now = self._clock.now()
        await asyncio.gather(
            *(
                self._commits.apply(sleeper, decisions.expire(sleeper, now=now))
                for sleeper in found.records
            )
        )
        return len(found.records) == EXPIRE_LIMIT

    def pause(self) -> float:
        """Until the next known expiry, or until it is time to look for others."""
        pause = self._next_look - asyncio.get_running_loop().time()
        if self._next_expires_at is not None:
            pause = min(pause, (self._next_expires_at - self._clock.now()) / 1000)
        return max(0.0, pause)
