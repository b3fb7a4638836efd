"""The chores of one executor: run side by side, and stopped one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Final

from durable_execution._engine.services.chore import Chore, keep_doing

TURN_TIMEOUT: Final = 5.0
"""Seconds that a chore's turn, and the last flush after all of them, get at shutdown."""

Pump = Callable[[], Coroutine[None, None, None]]


class Chores:
    """Runs chores, and what they need, in one group.

    Args:
        chores: With names by which they are stopped.
        pumps: What runs until `finish`, for others may need it when all chores have stopped.
    """

    def __init__(
        self, chores: Iterable[Chore], pumps: Sequence[Pump], *, jitter: Callable[[], float]
    ) -> None:
        self._chores = {chore.name: chore for chore in chores}
        self._pumps = pumps
        self._jitter = jitter
        self._stops = {name: asyncio.Event() for name in self._chores}
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._is_over = asyncio.Event()

    async def run(self, is_started: asyncio.Event) -> None:
        """Run them until `finish`; one that ends with an error is a bug and ends them all."""
        async with asyncio.TaskGroup() as group:
            pumps = [group.create_task(pump()) for pump in self._pumps]
            for name, chore in self._chores.items():
                self._jobs[name] = group.create_task(
                    keep_doing(chore, self._stops[name], jitter=self._jitter),
                    name=f"durable-execution-{name}",
                )
            is_started.set()
            await self._is_over.wait()
            for pump in pumps:
                pump.cancel()

    async def stop(self, name: str) -> None:
        """Let a chore end its turn; a turn that hangs on the storage is cut off."""
        job = self._jobs.get(name)
        if job is None:
            return
        self._stops[name].set()
        self._chores[name].wakeup.set()
        _, hanging = await asyncio.wait({job}, timeout=TURN_TIMEOUT)
        if hanging:
            job.cancel()
            await asyncio.wait({job})

    def finish(self) -> None:
        """End the pumps, and with them `run`, once all chores have stopped."""
        self._is_over.set()
