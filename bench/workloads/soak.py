"""Minutes at half of the maximum, with old executions deleted meanwhile: does anything drift?"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.database import Database
from bench.engines import increment
from bench.pace import closed_loop, percentile, warm_up
from bench.place import Place
from bench.process import resident_mb
from bench.storages import DURABLE
from bench.workload import Figure, Measures, Of, Workload, at_most, on

PHASES = 5
"""The first one is not compared: what is kept, and caches, are still filling."""
CALLERS = 500
PROBE_TASKS = 20_000
TICK = 0.01
MOST_IN_FLIGHT = 20_000

_POSTGRES_SIZES = """\
SELECT sum(pg_table_size(c.oid)) AS tables, sum(pg_indexes_size(c.oid)) AS indexes,
    sum(s.n_live_tup) AS live, sum(s.n_dead_tup) AS dead
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relname = 'durable_task_executions' AND s.schemaname = '{schema}'"""


class Load:
    """Calls at an even pace, however long they take; latencies count from when one was due."""

    def __init__(self, call: Any, rate: float) -> None:
        self._call = call
        self._rate = rate
        self._running: set[asyncio.Task[None]] = set()
        self.latencies: list[float] = []

    async def run(self, seconds: float) -> None:
        begun = now = time.perf_counter()
        started = 0
        while now < begun + seconds:
            due = int((now - begun) * self._rate) + 1
            while started < due:
                self._start(begun + started / self._rate)
                started += 1
            await asyncio.sleep(TICK)
            now = time.perf_counter()
        while self._running:
            await asyncio.wait(self._running)

    def _start(self, due: float) -> None:
        if len(self._running) >= MOST_IN_FLIGHT:
            raise RuntimeError("the load is more than the engine can do")
        call = asyncio.create_task(self._one(due))
        self._running.add(call)
        call.add_done_callback(self._running.discard)

    async def _one(self, due: float) -> None:
        await self._call(1)
        self.latencies.append((time.perf_counter() - due) * 1e3)


async def measure(_: str, place: Place) -> Measures:
    from bench.ours import Ours

    seconds = place.minutes * 60 * place.scale / PHASES
    made = Ours(place, "eager", increment, retention=max(1.0, seconds / 2))
    measures: dict[str, float] = {}
    await made.open()
    try:
        await warm_up(made.call)
        rate = PROBE_TASKS / await closed_loop(made.call, PROBE_TASKS, CALLERS) / 2
        measures["rate"] = rate
        for phase in range(PHASES):
            load = Load(made.call, rate)
            await load.run(seconds)
            if phase in (1, PHASES - 1):
                which = "early" if phase == 1 else "late"
                found = await observed(load, place)
                measures |= {f"{which}_{name}": value for name, value in found.items()}
    finally:
        await made.close()
    return measures


async def observed(load: Load, place: Place) -> dict[str, float]:
    """Return what the phase that has just ended looked like."""
    ordered = sorted(load.latencies)
    found = {
        "p50": percentile(ordered, 50),
        "p99": percentile(ordered, 99),
        "rss_mb": resident_mb(),
    }
    async with Database("ours", place) as database:
        rows = await database.fetch("SELECT count(*) FROM durable_task_executions")
        kept = int(rows[0][0])
        found["rows"] = kept
        if place.storage == "postgres":
            sizes = await database.fetch(_POSTGRES_SIZES.format(schema=place.schema))
            tables, indexes, live, dead = map(float, sizes[0])
            found["table_bytes"] = tables / kept
            found["index_bytes"] = indexes / kept
            found["dead_percent"] = 100 * dead / max(1.0, live + dead)
        elif place.storage.startswith("sqlite"):
            found["table_bytes"] = (place.folder / "tasks.db").stat().st_size / kept
    return found


def _drift(metric: str, unit: str, name: str, bound: float) -> Figure:
    early, late = Of("ours", f"early_{name}"), Of("ours", f"late_{name}")
    goals = on(DURABLE, at_most(bound))
    return Figure(metric=metric, unit=unit, ours=late, floor=early, goals=goals)


WORKLOAD = Workload(
    number=9,
    title="soak at half of the maximum: the last fifth beside the second",
    sides=("ours",),
    storages=DURABLE,
    rounds=1,
    measure=measure,
    figures=(
        _drift("latency p50", "ms", "p50", 1.25),
        _drift("latency p99", "ms", "p99", 1.5),
        _drift("RSS", "MB", "rss_mb", 1.1),
        _drift("rows kept", "rows", "rows", 1.25),
        _drift("table", "bytes/row", "table_bytes", 1.25),
        _drift("indexes", "bytes/row", "index_bytes", 1.25),
        Figure(
            metric="dead rows, beside their bound",
            unit="%",
            ours=Of("ours", "late_dead_percent"),
            floor=20.0,
            goals=on(("postgres",), at_most(1)),
        ),
    ),
)
