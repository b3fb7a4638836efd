from __future__ import annotations

import asyncio
import time

import pytest

from tests.processes.arena import Arena
from tests.processes.books import check_accounts, check_trees
from tests.processes.load import check_endings, enqueue_every_kind, sign_contracts
from tests.processes.tasks import signature, trap

pytestmark = pytest.mark.chaos

HOUR = 3600
NUMBERS = range(15)
ROOM = 1.0
"""Seconds for rounding, and for the way to the database and back."""


async def test_executors_whose_clocks_are_an_hour_off_change_nothing(arena: Arena) -> None:
    begun_at = time.time()
    for off in (-HOUR, HOUR):
        await arena.start(clock_off=off, capacity=10)
    async with arena.observer() as observer:
        enqueued = await enqueue_every_kind(observer, NUMBERS)
        await sign_contracts(observer, NUMBERS)
        await check_endings(enqueued, timeout=30)
    ended_at = time.time()

    check_trees(arena)
    check_accounts(arena)
    assert len({effect.pid for effect in arena.effects()}) == 2
    for row in arena.rows():
        for name in ("created_at", "start_at", "started_at", "updated_at", "finished_at"):
            if row[name] is not None:
                assert begun_at - ROOM <= row[name] / 1000 <= ended_at + ROOM, (name, row)
        assert row["crash_count"] == 0, row


@pytest.mark.parametrize("off", [-HOUR, HOUR])
async def test_what_a_client_with_a_wrong_clock_enqueues_starts_at_once(
    arena: Arena, off: int
) -> None:
    await arena.start()
    client = await arena.launch("ask", count=5, clock_off=off)
    seconds = [float(line) for line in (await client.lines())[1:]]
    assert len(seconds) == 5
    assert max(seconds) < 10


@pytest.mark.parametrize("off", [-HOUR, HOUR])
async def test_timeouts_end_when_they_should_by_the_database_s_clock(
    arena: Arena, off: int
) -> None:
    await arena.start(clock_off=off)
    async with arena.observer() as observer:
        asked_at = time.monotonic()
        sleeping = await observer.enqueue_task(signature, "nobody", timeout=1.5)
        napping = await observer.enqueue_task(trap, {"pid": -1, "nap": 0}, timeout=1.5)
        ended, ran = await asyncio.gather(
            *(each.wait_and_get_finished_execution(timeout=30) for each in (sleeping, napping))
        )
        took = time.monotonic() - asked_at
    assert (ended.status, ran.status) == ("timed_out", "completed")
    assert took >= 1.4
