from __future__ import annotations

import time
from typing import Any

import pytest

from tests.processes.arena import LEASE, SHORT_LEASE, Arena, report, until
from tests.processes.blocking import hash_on_the_loop, keep_the_interpreter, sleep_on_the_loop

pytestmark = [pytest.mark.chaos, SHORT_LEASE]

STALL = 1.6 * LEASE
"""Well above the lease: who does not outlive it by beating is taken for dead before."""


@pytest.mark.parametrize("task", [sleep_on_the_loop, hash_on_the_loop], ids=lambda task: task.id)
async def test_a_held_loop_keeps_its_lease_up_to_the_stall_timeout_and_is_named(
    arena: Arena, task: Any
) -> None:
    stalled = await arena.start(stall=STALL)
    async with arena.observer() as observer:
        hold = {"pid": stalled.pid, "held": STALL + 4 * LEASE, "elsewhere": 0.1}
        handle = await observer.enqueue_task(task, hold)
        await until(lambda: len(arena.effects()) == 1, "the loop is held")
        held_at = time.time()
        heir = await arena.start(stall=STALL)
        assert await handle.result(timeout=30) == heir.pid

        (taken_over,) = (effect.at for effect in arena.effects() if effect.pid == heir.pid)
        after = taken_over - held_at
        report(f"taken over {after:.2f} s after the loop was held")
        assert after > STALL
        assert arena.effects("let_go") == []
        log = stalled.log.read_text()
        (complaint,) = (line for line in log.splitlines() if "event loop has not answered" in line)
        assert f"{task.id} {handle.execution_id}" in complaint
        assert "blocking.py" in log  # and where in its code
        before = arena.rows()
        await until(lambda: bool(arena.effects("let_go")), "the loop is let go")
        await until(lambda: "registers again" in stalled.log.read_text(), "it beats again")
        assert arena.rows() == before


async def test_who_keeps_the_interpreter_loses_its_lease_and_its_late_result_is_rejected(
    arena: Arena,
) -> None:
    stalled = await arena.start()
    async with arena.observer() as observer:
        # When the late result comes, the heir still runs the same attempt of the same execution.
        hold = {"pid": stalled.pid, "held": 3 * LEASE, "elsewhere": 5 * LEASE}
        handle = await observer.enqueue_task(keep_the_interpreter, hold)
        await until(lambda: len(arena.effects()) == 1, "the interpreter is kept")
        held_at = time.time()
        heir = await arena.start()
        ready_at = time.time()  # a process takes its time to start under load
        await until(lambda: len(arena.effects()) == 2, "another has taken over")
        assert arena.effects()[-1].at - max(held_at, ready_at) < 2 * LEASE
        (before,) = arena.rows()

        await until(lambda: bool(arena.effects("let_go")), "the interpreter is let go")
        await until(lambda: "the lease is over" in stalled.log.read_text(), "its log says so")
        assert arena.effects("ended") == []
        (after,) = arena.rows()
        assert (after["finished_at"], after["output"]) == (None, None)
        assert after["fence"] >= before["fence"]

        assert await handle.result(timeout=30) == heir.pid
    (row,) = arena.rows()
    # Once, or oftener where the machine has no time for the heir's heart either.
    assert row["crash_count"] >= 1
    assert (row["fence"], row["attempt"]) == (1 + row["crash_count"], 0)
