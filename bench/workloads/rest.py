"""Executors with nothing to do: what they ask the database, and the CPU they take."""

from __future__ import annotations

import asyncio
import time

from bench.database import Database
from bench.place import Place
from bench.process import cpu_seconds, resident_mb
from bench.worker import workers
from bench.workload import Figure, Measures, Of, Workload, at_most, on

SETTLE = 10.0
WATCHED = 20.0
EXECUTORS = {"one": 1, "ten": 10}
SERVERS = ("postgres", "mariadb")
_OF_POSTGRES = """\
SELECT coalesce(sum(calls), 0) FROM public.pg_stat_statements
WHERE query NOT LIKE '%pg_stat_statements%'"""
STORAGES = ("sqlite", *SERVERS)


async def measure(side: str, place: Place) -> Measures:
    number = EXECUTORS[side]
    seconds = max(2.0, WATCHED * place.scale)
    with workers("ours", number, place) as started:
        for worker in started:
            worker.begin()
        for worker in started:
            worker.await_open()
        await asyncio.sleep(SETTLE)
        async with Database("ours", place) as database:
            cpu = sum(cpu_seconds(worker.pid) for worker in started)
            begun, before = time.perf_counter(), await statements(place, database)
            await asyncio.sleep(seconds)
            after, seconds = await statements(place, database), time.perf_counter() - begun
            cpu = sum(cpu_seconds(worker.pid) for worker in started) - cpu
        memory = max(resident_mb(worker.pid) for worker in started)
    measures = {"cpu_percent": cpu / seconds / number * 100, "rss_mb": memory}
    if place.storage in SERVERS:
        measures["statements"] = (after - before) / seconds / number
    return measures


async def statements(place: Place, database: Database) -> int:
    """Return how many statements the server has run, but for this one."""
    if place.storage == "postgres":
        rows = await database.fetch(_OF_POSTGRES)
        return int(rows[0][0])
    if place.storage == "mariadb":
        asked = await database.fetch("SHOW GLOBAL STATUS LIKE 'Questions'")
        return int(asked[0][1]) - 1
    return 0


def _figure(metric: str, unit: str, side: str, name: str, bound: float) -> Figure:
    goals = on(STORAGES, at_most(1))
    return Figure(metric=metric, unit=unit, ours=Of(side, name), floor=bound, goals=goals)


WORKLOAD = Workload(
    number=7,
    title="nothing to do; beside the bound",
    sides=tuple(EXECUTORS),
    storages=STORAGES,
    needs_extensions=True,
    measure=measure,
    figures=[
        figure
        for side in EXECUTORS
        for figure in (
            _figure(f"statements of an executor, {side}", "/s", side, "statements", 1.0),
            _figure(f"CPU of an executor, {side}", "%", side, "cpu_percent", 0.5),
            _figure(f"RSS of an executor, {side}", "MB", side, "rss_mb", 80.0),
        )
    ],
)
