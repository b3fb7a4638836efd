"""Work without end, for as long as something is being broken."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

from durable_execution import DurableExecutor
from tests.processes.arena import Arena, Process, report, until
from tests.processes.books import check_accounts, check_trees
from tests.processes.load import check_endings, enqueue_every_kind, sign_contracts

ROUND = 6
LEAST = 3
"""Times that something is broken, however long each takes on a loaded machine."""
"""Numbers in a round; each is enqueued once as each kind of task."""
ROUND_TIMEOUT = 60.0
CAPACITY = 4
"""Places of a worker: few, so that each kill cuts off a part of the work only."""

Break = Callable[[], Awaitable[object]]


class Storm:
    """A time of breaking things, ruled by one source of chance."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.seconds = seconds
        self.chance = random.Random(seed)
        report(f"{seconds:g} s of chaos with seed {seed}")

    async def rage(self, arena: Arena, break_something: Break, *, pause: float) -> None:
        """Break something again and again under load; then everything must have ended well."""
        watch_for_rewrites(arena)
        async with arena.observer() as observer:
            calm = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_busy(observer, calm))
                group.create_task(self._keep_breaking(break_something, calm, pause))
            await until(lambda: not arena.rows("finished_at IS NULL"), "all executions have ended")
        check_trees(arena)
        check_accounts(arena)
        assert rewrites(arena) == []
        facts = arena.rows()
        crashes = sum(row["crash_count"] for row in facts)
        report(f"{len(facts)} executions, {crashes} attempts cut off")

    async def _keep_breaking(
        self, break_something: Break, calm: asyncio.Event, pause: float
    ) -> None:
        ends_at = time.monotonic() + self.seconds
        for broken in count():
            begun = time.monotonic()
            if begun >= ends_at and broken >= LEAST:
                break
            await break_something()
            await asyncio.sleep(max(0.0, begun + pause - time.monotonic()))
        calm.set()


async def keep_busy(observer: DurableExecutor, calm: asyncio.Event) -> None:
    """Enqueue a round of every kind when the one before has ended, and check how.

    There is work until it is calm, so that whoever broke something sees work go on.
    """
    for first in count(step=ROUND):
        numbers = range(first, first + ROUND)
        enqueued = await enqueue_every_kind(observer, numbers)
        await asyncio.gather(
            sign_contracts(observer, numbers), check_endings(enqueued, timeout=ROUND_TIMEOUT)
        )
        if calm.is_set():
            return


def watch_for_rewrites(arena: Arena) -> None:
    """Have the database note every change of a row that has ended already."""
    query = arena.database.query
    query("CREATE TABLE rewrites (execution_id VARCHAR(64), old VARCHAR(64), new VARCHAR(64))")
    note = "INSERT INTO rewrites VALUES (OLD.execution_id, OLD.status, NEW.status);"
    when = "WHEN (OLD.finished_at IS NOT NULL)"
    what = "AFTER UPDATE ON durable_task_executions FOR EACH ROW"
    if arena.database.url.startswith("sqlite"):
        query(f"CREATE TRIGGER note_rewrite {what} {when} BEGIN {note} END")
        return
    query(
        "CREATE FUNCTION note_rewrite() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {note} RETURN NULL; END $$"
    )
    query(f"CREATE TRIGGER note_rewrite {what} {when} EXECUTE FUNCTION note_rewrite()")


def rewrites(arena: Arena) -> Sequence[object]:
    """Return what was noted."""
    return arena.database.query("SELECT * FROM rewrites")


class Killer:
    """Kills one of the workers, and starts another in its place."""

    def __init__(self, arena: Arena, storm: Storm, workers: list[Process]) -> None:
        self._arena = arena
        self._chance = storm.chance
        self._workers = workers
        self._killed_at: dict[int, float] = {}

    async def __call__(self) -> None:
        victim = self._workers.pop(self._chance.randrange(len(self._workers)))
        await asyncio.sleep(self._chance.uniform(0, 0.05))
        await victim.kill()
        self._killed_at[victim.pid] = time.time()
        self._workers.append(await self._arena.start(capacity=CAPACITY))

    @property
    def kills(self) -> int:
        return len(self._killed_at)

    def recoveries(self) -> list[float]:
        """Return, sorted, the seconds from each kill until what it cut off began elsewhere."""
        last: dict[tuple[str, int], int] = {}
        found = []
        for effect in self._arena.effects():
            key = effect.execution_id, effect.attempt
            killed_at = self._killed_at.get(last.get(key, 0))
            if killed_at is not None and effect.at > killed_at:
                found.append(effect.at - killed_at)
            last[key] = effect.pid
        return sorted(found)
