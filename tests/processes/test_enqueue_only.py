from __future__ import annotations

import asyncio

import pytest

from tests.processes.arena import LOOK_INTERVAL, Arena, report
from tests.processes.tasks import add_one

pytestmark = pytest.mark.processes


async def test_a_result_from_another_process_does_not_wait_for_the_poll(arena: Arena) -> None:
    await arena.start()
    asker = await arena.launch("ask", count=20)

    seconds = sorted(float(line) for line in (await asker.lines())[1:])

    report(f"enqueue to result across processes: p50 {seconds[10] * 1000:.0f} ms")
    assert len(seconds) == 20
    assert seconds[10] < 1  # the poll interval is 5 s; the rest is room for a busy machine


async def test_an_executor_without_places_runs_nothing(arena: Arena) -> None:
    async with arena.observer() as observer:
        handle = await observer.enqueue_task(add_one, 1)
        await asyncio.sleep(20 * LOOK_INTERVAL)  # there is no event for what must not happen
        assert arena.effects() == []
        assert (await handle.get_execution()).status == "ready"
        await arena.start()
        assert await handle.result(timeout=30) == 2
