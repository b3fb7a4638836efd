from __future__ import annotations

import asyncio

import pytest

from durable_execution import DurableExecutor
from tests.processes.arena import LEASE, SHORT_LEASE, Arena, until
from tests.processes.next_release import added, mixed_family
from tests.processes.tasks import add_one

pytestmark = pytest.mark.chaos

OF_EACH = 20


async def test_an_older_release_leaves_what_it_does_not_know_to_the_newer_one(
    arena: Arena,
) -> None:
    older = [await arena.start() for _ in range(2)]
    async with arena.observer() as observer:
        known = [await observer.enqueue_task(add_one, number) for number in range(OF_EACH)]
        unknown = [await observer.enqueue_task(added, number) for number in range(OF_EACH)]
        families = [await observer.enqueue_task(mixed_family, number) for number in range(OF_EACH)]
        assert await asyncio.gather(*(each.result(timeout=30) for each in known)) == [
            number + 1 for number in range(OF_EACH)
        ]
        untouched = {(row["status"], row["fence"], row["attempt"]) for row in new_rows(arena)}
        assert untouched == {("ready", 0, 0)}
        assert len(new_rows(arena)) == 2 * OF_EACH
        assert await stranded(observer) == {added.id, mixed_family.id}

        newer = await arena.start(release="next")
        results = await asyncio.gather(*(each.result(timeout=30) for each in unknown))
        sums = await asyncio.gather(*(each.result(timeout=30) for each in families))
        assert await stranded(observer) == set()

    assert results == [10 * number for number in range(OF_EACH)]
    assert sums == [11 * number + 1 for number in range(OF_EACH)]
    by_task = {
        task_id: {effect.pid for effect in arena.effects() if effect.task_id == task_id}
        for task_id in (added.id, mixed_family.id)
    }
    assert by_task == {added.id: {newer.pid}, mixed_family.id: {newer.pid}}
    assert all(process.is_alive for process in older)
    assert not arena.rows("status NOT IN ('completed')")


@SHORT_LEASE
async def test_what_only_a_dead_release_knows_stays_ready_until_it_is_back(arena: Arena) -> None:
    await arena.start()
    newer = await arena.start(release="next", capacity=1)
    async with arena.observer() as observer:
        first = await observer.enqueue_task(mixed_family, 1)
        assert await first.result(timeout=30) == 12
        await newer.kill()
        rolled_back = await observer.enqueue_task(mixed_family, 2)
        dropped = await observer.enqueue_task(added, 3)
        after = await observer.enqueue_task(add_one, 1)
        assert await after.result(timeout=30) == 2
        await asyncio.sleep(
            1.5 * LEASE
        )  # leases run out and rescues happen: nothing may happen to these
        for handle in (rolled_back, dropped):
            assert (await handle.get_execution()).status == "ready"
        assert await stranded(observer) == {added.id, mixed_family.id}
        assert {row["fence"] for row in arena.rows("task_id = 'added' AND status = 'ready'")} == {0}

        await arena.start(release="next")
        assert await rolled_back.result(timeout=30) == 23
        assert await dropped.result(timeout=30) == 30


@SHORT_LEASE
async def test_a_running_task_of_a_release_that_died_is_rescued_though_nobody_knows_it(
    arena: Arena,
) -> None:
    await arena.start()
    newer = await arena.start(release="next")
    async with arena.observer() as observer:
        handles = [await observer.enqueue_task(added, number) for number in range(200)]
        await until(lambda: bool(arena.effects()), "the newer release works")
        await newer.kill()
        await until(
            lambda: not arena.rows("status = 'running'"), "nothing is left with the dead release"
        )
        statuses = {row["status"] for row in arena.rows()}
        assert statuses <= {"ready", "completed"}
        await arena.start(release="next")
        results = await asyncio.gather(*(each.result(timeout=30) for each in handles))
    assert results == [10 * number for number in range(200)]


async def stranded(observer: DurableExecutor) -> set[str]:
    """Return the tasks that have work and that no live executor runs."""
    counts = await observer.count_task_executions()
    return {task_id for task_id, each in counts.items() if each.unfinished and not each.is_known}


def new_rows(arena: Arena) -> list[dict[str, object]]:
    return arena.rows("task_id IN ('added', 'mixed_family')")
