"""Progress and statuses, told across processes, of which some are killed."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from durable_execution import DurableExecutor, ProgressChange, StatusChange
from durable_execution._core.watching import position_of
from tests.processes.arena import CALM_LEASE, SHORT_LEASE, Arena, Process, until
from tests.processes.tasks import babble, count_up, halfway

pytestmark = pytest.mark.processes

FOREVER = 60.0
Change = StatusChange[Any] | ProgressChange


def told(change: Change) -> str:
    if isinstance(change, StatusChange):
        return change.execution.status
    return str(change.progress.message)


@SHORT_LEASE
async def test_the_death_of_an_executor_and_its_heir_are_watched(arena: Arena) -> None:
    victim = await arena.start()
    async with arena.observer() as observer:
        handle = await observer.enqueue_task(halfway, {"pid": victim.pid, "nap": FOREVER})
        changes = handle.watch()
        seen: list[Change] = []
        async with asyncio.timeout(30):
            async for change in changes:
                seen.append(change)
                if told(change) == "trapped":
                    break
            heir = await arena.start(lease=CALM_LEASE)
            await victim.kill()
            seen += [change async for change in changes]
        assert await handle.result() == heir.pid

    words = [told(change) for change in seen]
    assert words[-2:] == ["free", "completed"]
    # That it was ready in between, and again, may have come and gone between two looks.
    assert [word for word in words if word != "ready"] == [
        *("running", "trapped"),
        *(["running"] if words.count("running") == 2 else []),
        *("free", "completed"),
    ]
    assert len({change.id for change in seen}) == len(seen)
    revisions = [position_of(change.id) for change in seen]
    assert revisions == sorted(revisions)


@SHORT_LEASE
async def test_what_a_stalled_executor_says_after_its_lease_changes_nothing(arena: Arena) -> None:
    sleeper = await arena.start()
    async with arena.observer() as observer:
        handle = await observer.enqueue_task(babble, {"pid": sleeper.pid, "nap": FOREVER})
        await until(lambda: len(arena.effects()) == 1, "the sleeper runs it")
        while await handle.get_progress() is None:
            await asyncio.sleep(0.01)
        await arena.stop_between_writes(sleeper)
        heir = await arena.start(lease=CALM_LEASE)
        assert await handle.result(timeout=30) == heir.pid
        progress = await handle.get_progress()
        assert progress is not None
        assert (progress.fraction, progress.message) == (0.25, "free")

        sleeper.signal(signal.SIGCONT)
        await until(lambda: len(arena.effects("cancelled")) == 1, "the sleeper learns of it")
        assert await handle.get_progress() == progress
        (kept,) = arena.database.query("SELECT * FROM durable_task_execution_progress")
        assert (kept["fence"], kept["message"]) == (2, "free")


async def test_a_killed_watcher_goes_on_in_another_process(arena: Arena) -> None:
    async with arena.observer() as observer:
        handle = await observer.enqueue_task(count_up, 100)
        watcher = await arena.start("watch", execution=handle.execution_id)
        said = [await watcher.line()]
        assert said[0].split()[1:] == ["status", "ready"]
        await arena.start()
        while len(said) < 4:
            said.append(await watcher.line())
        await watcher.kill()
        said += [line for line in await watcher.lines() if _is_whole(line)]
        heir = await _watch(arena, observer, handle.execution_id, said[-1].split()[0])
        said += await heir.lines()
        assert await heir.ended() == 0
        last = await _watch(arena, observer, handle.execution_id, said[-1].split()[0])
        assert await last.lines() == []

    ids = [line.split()[0] for line in said]
    assert len(set(ids)) == len(ids), "a change was told twice"
    steps = [int(line.split()[2]) for line in said if " progress " in line]
    assert steps == sorted(set(steps))
    assert steps[-1] == 100, "the last progress was left out"
    statuses = [line.split()[2] for line in said if " status " in line]
    assert statuses == ["ready", "running", "completed"]
    assert said[-1].endswith("status completed")


async def _watch(arena: Arena, observer: DurableExecutor, execution_id: str, after: str) -> Process:
    return await arena.start("watch", execution=execution_id, after=after)


def _is_whole(line: str) -> bool:
    """Whether the kill did not cut the line."""
    return len(line.split()) == 3
