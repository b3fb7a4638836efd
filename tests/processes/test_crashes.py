from __future__ import annotations

import asyncio
import signal
import time

import pytest

from durable_execution import FailedTaskExecution
from tests.processes.arena import CALM_LEASE, LEASE, SHORT_LEASE, Arena, report, until
from tests.processes.tasks import add_one, poison, trap, trap_in_order, trap_in_thread

pytestmark = [pytest.mark.processes, SHORT_LEASE]

FOREVER = 60.0


async def test_work_of_a_killed_process_runs_elsewhere_within_the_lease(arena: Arena) -> None:
    victim = await arena.start()
    where = {"pid": victim.pid, "nap": FOREVER}
    async with arena.observer() as observer:
        handles = [
            await observer.enqueue_task(task, where)
            for task in (trap, trap_in_thread)
            for _ in range(5)
        ]
        await until(lambda: len(arena.effects()) == 10, "the victim runs everything")
        heir = await arena.start(lease=CALM_LEASE)

        await victim.kill()
        killed_at = time.time()
        outputs = await asyncio.gather(*(handle.result(timeout=30) for handle in handles))

    assert set(outputs) == {heir.pid}
    began = [effect.at for effect in arena.effects() if effect.pid == heir.pid]
    recovery = max(began) - killed_at
    report(f"recovered in {recovery:.2f} s with a lease of {LEASE:g} s")
    assert len(began) == 10
    assert recovery < 2 * LEASE
    facts = {(row["fence"], row["crash_count"], row["attempt"]) for row in arena.rows()}
    assert facts == {(2, 1, 0)}


async def test_a_sequence_goes_on_elsewhere_from_the_step_that_a_process_died_in(
    arena: Arena,
) -> None:
    victim = await arena.start()
    async with arena.observer() as observer:
        handle = await observer.enqueue_task(trap_in_order, {"pid": victim.pid, "nap": FOREVER})
        await until(lambda: len(arena.effects()) == 2, "the victim is in the second step")
        heir = await arena.start(lease=CALM_LEASE)
        await victim.kill()
        assert await handle.result(timeout=30) == heir.pid + 1

    begun = [effect.task_id for effect in arena.effects()]
    assert begun == ["set_out", "trap", "trap", "add_one"]
    rows = {row["task_id"]: row for row in arena.rows()}
    assert len(rows) == 4
    assert {task_id: row["crash_count"] for task_id, row in rows.items()} == {
        "trap_in_order": 0,
        "set_out": 0,
        "trap": 1,
        "add_one": 0,
    }


async def test_a_task_that_kills_its_process_fails_once_its_crash_budget_is_spent(
    arena: Arena,
) -> None:
    async with arena.observer(max_crash_recoveries=2) as observer:
        handle = await observer.enqueue_task(poison)
        for crash in range(3):
            worker = await arena.start(crashes=2)
            assert await worker.ended() == -signal.SIGKILL, crash
        execution = await handle.wait_and_get_finished_execution(timeout=30)

    assert isinstance(execution, FailedTaskExecution)
    assert "crashed or lost its lease 3 times" in execution.error.message
    past = execution.past_attempts
    assert [(each.attempt, each.outcome, each.error) for each in past] == [(0, "crashed", None)] * 2
    assert len({each.executor_id for each in past}) == 2
    assert len(arena.effects()) == 3
    (row,) = arena.rows()
    assert (row["fence"], row["crash_count"], row["attempt"]) == (3, 2, 0)


async def test_a_process_that_slept_through_its_lease_changes_nothing_when_it_wakes(
    arena: Arena,
) -> None:
    sleeper = await arena.start()
    # One would return as soon as the process wakes, the others are in the middle of something.
    naps = {trap: (0.9 * LEASE, FOREVER), trap_in_thread: (FOREVER,)}
    async with arena.observer() as observer:
        handles = [
            await observer.enqueue_task(task, {"pid": sleeper.pid, "nap": nap})
            for task, each in naps.items()
            for nap in each
        ]
        await until(lambda: len(arena.effects()) == 3, "the sleeper runs everything")
        await arena.stop_between_writes(sleeper)
        heir = await arena.start(lease=CALM_LEASE)
        outputs = [await handle.result(timeout=30) for handle in handles]
        before = arena.rows()

        sleeper.signal(signal.SIGCONT)
        cut_off = {handle.execution_id for handle in handles[1:]}
        await until(
            lambda: cut_off <= {effect.execution_id for effect in arena.effects("cancelled")},
            "what is in the middle of something is cancelled",
        )
        # Which of the two it is depends on who wakes first, the heart or the timer.
        words = ("the lease is over", "late outcome", "no longer ours")
        await until(
            lambda: any(word in sleeper.log.read_text() for word in words), "the log says so"
        )

        assert outputs == [heir.pid] * 3
        assert arena.rows() == before
        assert {(row["fence"], row["crash_count"], row["status"]) for row in before} == {
            (2, 1, "completed")
        }
        await heir.kill()
        handle = await observer.enqueue_task(add_one, 1)
        assert await handle.result(timeout=30) == 2
    assert arena.effects()[-1].pid == sleeper.pid
