from __future__ import annotations

import asyncio
import signal
import time

import pytest

from tests.processes.arena import Arena, report, until
from tests.processes.tasks import add_one, trap, trap_in_thread

pytestmark = pytest.mark.processes


async def test_work_of_a_terminated_process_is_handed_back_and_picked_up_at_once(
    arena: Arena,
) -> None:
    leaver = await arena.start(grace=0.2)
    where = {"pid": leaver.pid, "nap": 60.0}
    async with arena.observer() as observer:
        handles = [await observer.enqueue_task(task, where) for task in (trap, trap_in_thread)]
        await until(lambda: len(arena.effects()) == 2, "the leaver runs both")
        heir = await arena.start()

        leaver.signal(signal.SIGTERM)
        asked_at = time.monotonic()
        assert await leaver.ended() == 0
        took = time.monotonic() - asked_at
        outputs = await asyncio.gather(*(handle.result(timeout=30) for handle in handles))

    assert took < 10, (
        took
    )  # the tasks take 60 s; a grace of 0.2 s, the threads' last words, and closing
    assert outputs == [heir.pid] * 2
    handed_back = max(effect.at for effect in arena.effects("cancelled"))
    picked_up = max(effect.at for effect in arena.effects() if effect.pid == heir.pid)
    report(f"picked up {(picked_up - handed_back) * 1000:.0f} ms after the attempt was stopped")
    assert picked_up - handed_back < 10  # the lease of both is 30 s: nobody waited for it
    facts = {(row["fence"], row["crash_count"], row["attempt"]) for row in arena.rows()}
    assert facts == {(2, 0, 0)}


async def test_what_ends_within_the_grace_period_is_not_repeated(arena: Arena) -> None:
    leaver = await arena.start(grace=10)
    async with arena.observer() as observer:
        handles = [
            await observer.enqueue_task(task, {"pid": leaver.pid, "nap": 0.5})
            for task in (trap, trap_in_thread)
        ]
        await until(lambda: len(arena.effects()) == 2, "the leaver runs both")
        leaver.signal(signal.SIGTERM)
        assert await leaver.ended() == 0
        outputs = [await handle.result(timeout=30) for handle in handles]

    assert outputs == [leaver.pid] * 2
    assert len(arena.effects()) == 2
    assert arena.effects("cancelled") == []


async def test_a_terminated_process_claims_nothing_more(arena: Arena) -> None:
    leaver = await arena.start(capacity=1, grace=10)
    async with arena.observer() as observer:
        held = await observer.enqueue_task(trap, {"pid": leaver.pid, "nap": 3.0})
        await until(lambda: len(arena.effects()) == 1, "the only place is taken")
        waiting = [await observer.enqueue_task(add_one, number) for number in range(10)]
        leaver.signal(signal.SIGTERM)
        assert await leaver.ended() == 0
        assert await held.result(timeout=30) == leaver.pid
        assert len(arena.effects()) == 1
        statuses = [(await handle.get_execution()).status for handle in waiting]
    assert statuses == ["ready"] * 10
