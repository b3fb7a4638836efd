from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.processes.arena import Arena, until
from tests.processes.tasks import add_one

pytestmark = pytest.mark.processes


async def test_two_processes_share_a_file_and_run_every_task_once(arena: Arena) -> None:
    workers = [await arena.start(capacity=20) for _ in range(2)]
    async with arena.observer() as observer:
        handles = await asyncio.gather(
            *(observer.enqueue_task(add_one, number) for number in range(1000))
        )
        outputs = await asyncio.gather(*(handle.result(timeout=60) for handle in handles))

    assert outputs == list(range(1, 1001))
    effects = arena.effects()
    assert Counter(effect.execution_id for effect in effects) == Counter(
        handle.execution_id for handle in handles
    )
    shares = Counter(effect.pid for effect in effects)
    assert set(shares) == {worker.pid for worker in workers}
    assert min(shares.values()) >= 100, shares
    assert {(row["fence"], row["crash_count"], row["attempt"]) for row in arena.rows()} == {
        (1, 0, 0)
    }


async def test_processes_that_start_at_once_on_a_new_file_all_come_up(arena: Arena) -> None:
    starting = [await arena.launch() for _ in range(4)]
    assert [await process.line() for process in starting] == ["started"] * 4

    async with arena.observer() as observer:
        handle = await observer.enqueue_task(add_one, 1)
        assert await handle.result(timeout=30) == 2


async def test_what_eight_processes_enqueue_at_once_all_runs_once(arena: Arena) -> None:
    await arena.start()
    clients = [await arena.launch("enqueue", count=25) for _ in range(8)]
    said = [line for client in clients for line in (await client.lines())[1:]]
    assert [await client.ended() for client in clients] == [0] * 8

    await until(
        lambda: len(arena.rows("status = 'completed'")) == 200, "200 executions are completed"
    )
    printed = {line.split()[0] for line in said}
    assert len(printed) == 200
    assert Counter(effect.execution_id for effect in arena.effects()) == Counter(printed)
