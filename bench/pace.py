"""Keeping an engine busy, or asking it one thing at a time, and reading the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

Call = Callable[[int], Awaitable[int]]
WARM_UP = 500


async def warm_up(call: Call) -> None:
    """Fill caches, connect what is connected when first needed, compile statements."""
    await asyncio.gather(*(call(number) for number in range(WARM_UP)))


async def closed_loop(call: Call, tasks: int, callers: int) -> float:
    """Return the seconds that so many callers take, each waiting before it calls again."""
    numbers = iter(range(tasks))

    async def caller() -> None:
        for number in numbers:
            result = await call(number)
            assert result == number + 1

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return time.perf_counter() - begun


async def latencies(call: Call, calls: int) -> list[float]:
    """Return the milliseconds of calls, one at a time, sorted."""
    found = []
    for number in range(calls):
        begun = time.perf_counter()
        await call(number)
        found.append((time.perf_counter() - begun) * 1e3)
    return sorted(found)


def percentile(ordered: Sequence[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
