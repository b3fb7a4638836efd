from __future__ import annotations

import asyncio
import random

import pytest

from tests.processes.arena import SHORT_LEASE, Arena, Process, report, until
from tests.processes.books import check_accounts, check_trees
from tests.processes.load import check_endings, enqueue_every_kind, sign_contracts

pytestmark = [pytest.mark.processes, SHORT_LEASE, pytest.mark.timeout(240)]

NUMBERS = range(100)
KILLS = 12
CAPACITY = 4
SAID_BEFORE_DEATH = 100


async def test_everything_ends_right_though_processes_die_all_the_time(arena: Arena) -> None:
    workers = [await arena.start(capacity=CAPACITY) for _ in range(2)]
    async with arena.observer() as observer:
        enqueued = await enqueue_every_kind(observer, NUMBERS)
        said, *_ = await asyncio.gather(
            kill_while_enqueueing(arena),
            kill_while_busy(arena, workers),
            sign_contracts(observer, NUMBERS),
        )
        await check_endings(enqueued, timeout=60)
        await until(lambda: not arena.rows("finished_at IS NULL"), "every execution has finished")

    roots = {row["execution_id"] for row in arena.rows("parent_execution_id IS NULL")}
    assert len(said) >= SAID_BEFORE_DEATH
    assert set(said) <= roots
    check_trees(arena)
    check_accounts(arena)
    crashes = sum(row["crash_count"] for row in arena.rows())
    report(f"{len(arena.rows())} executions, {KILLS} kills, {crashes} attempts cut off")
    assert crashes >= KILLS


async def kill_while_enqueueing(arena: Arena) -> list[str]:
    """Kill a client in the midst of it, and return the ids that it was given."""
    client = await arena.start("enqueue", count=100_000)
    said = [await client.line() for _ in range(SAID_BEFORE_DEATH)]
    await client.kill()
    said += await client.lines()
    return [line.split()[0] for line in said if " " in line]  # the last line may be cut


async def kill_while_busy(arena: Arena, workers: list[Process]) -> None:
    """Kill the older worker and start another, again and again."""
    chance = random.Random(7)
    for _ in range(KILLS):
        victim = workers.pop(0)
        await until(lambda victim=victim: is_busy(arena, victim), "the victim is busy")
        await asyncio.sleep(chance.uniform(0, 0.03))  # somewhere in the midst of its attempts
        await victim.kill()
        workers.append(await arena.start(capacity=CAPACITY))


def is_busy(arena: Arena, worker: Process) -> bool:
    return sum(effect.pid == worker.pid for effect in arena.effects()) > 2 * CAPACITY
