from __future__ import annotations

import asyncio

import pytest

from durable_execution import ExecutorShutDownError
from durable_execution._engine.departure import Departure


async def waiting(departure: Departure, event: asyncio.Event) -> str:
    async with departure.cutting():
        await event.wait()
    return "told"


async def test_announcement_ends_every_wait() -> None:
    departure, event = Departure(), asyncio.Event()
    waits = [asyncio.create_task(waiting(departure, event)) for _ in range(3)]
    await asyncio.sleep(0)

    departure.announce()

    results = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(each) for each in results] == [ExecutorShutDownError] * 3
    assert departure.waits == 0


async def test_wait_after_the_announcement_does_not_begin() -> None:
    departure = Departure()
    departure.announce()
    departure.announce()

    with pytest.raises(ExecutorShutDownError, match="ask another"):
        await waiting(departure, asyncio.Event())


async def test_wait_that_ends_by_itself_is_left_alone() -> None:
    departure, event = Departure(), asyncio.Event()
    event.set()

    assert await waiting(departure, event) == "told"
    assert departure.waits == 0


async def test_timeout_of_the_waiter_stays_its_own() -> None:
    departure = Departure()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await waiting(departure, asyncio.Event())

    async with departure.cutting():
        pass
    with pytest.raises(TimeoutError, match="mine"):
        async with departure.cutting():
            raise TimeoutError("mine")
    assert departure.waits == 0
