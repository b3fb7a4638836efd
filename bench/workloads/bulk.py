"""All tasks enqueued first, then drained by fresh executors: one process, and two."""

from __future__ import annotations

import asyncio
import os
import time

from bench.counting import Counters
from bench.database import Database
from bench.engines import engine, opened
from bench.place import Place
from bench.storages import DURABLE
from bench.worker import workers
from bench.workload import Figure, Measures, Of, Workload, at_least, on

TASKS = 20_000
LOOK_EVERY = 0.002
SERVERS = ("postgres", "mariadb")
CORES_TO_SPARE = 4
"""Fewer, and two executors share with the database what one had."""


async def measure(side: str, place: Place) -> Measures:
    tasks = place.scaled(TASKS, least=1000)
    measures: dict[str, float] = {}
    for processes, name in ((1, "drained"), (2, "drained_by_two")):
        async with opened(engine(side, place, "client")) as made:
            opened_at = time.perf_counter()
            await asyncio.gather(*(made.enqueue(number) for number in range(tasks)))
            measures.setdefault("enqueued", tasks / (time.perf_counter() - opened_at))
        seconds = await drained(side, place, processes, tasks)
        measures[name] = tasks / seconds
    return measures


async def drained(side: str, place: Place, processes: int, tasks: int) -> float:
    """Return the seconds from the word to begin until the last task is finished and stored."""
    counters = Counters(place.folder)
    before = counters.total
    with workers(side, processes, place) as started:
        begun = time.perf_counter()
        for worker in started:
            worker.begin()
        # Nothing tells this process: it looks, without disturbing those that work.
        while counters.total - before < tasks:
            await asyncio.sleep(LOOK_EVERY)
        async with Database(side, place) as database:
            while await database.has_unfinished():
                await asyncio.sleep(LOOK_EVERY)
        return time.perf_counter() - begun


WORKLOAD = Workload(
    number=2,
    title=f"{TASKS:,} tasks enqueued, then drained",
    sides=("ours", "floor"),
    storages=DURABLE,
    measure=measure,
    figures=(
        Figure(
            metric="enqueued/s",
            unit="/s",
            ours=Of("ours", "enqueued"),
            floor=Of("floor", "enqueued"),
            goals=on(DURABLE, at_least(0.5)),
        ),
        Figure(
            metric="drained/s by one process",
            unit="/s",
            ours=Of("ours", "drained"),
            floor=Of("floor", "drained"),
            goals=on(DURABLE, at_least(0.5)),
        ),
        Figure(
            metric="drained/s by two processes",
            unit="/s",
            ours=Of("ours", "drained_by_two"),
            floor=Of("floor", "drained_by_two"),
            goals=on(DURABLE, at_least(0.5)),
        ),
        Figure(
            metric="drained/s by two processes beside one",
            unit="/s",
            ours=Of("ours", "drained_by_two"),
            floor=Of("ours", "drained"),
            goals=on(SERVERS, at_least(1.3)) if (os.cpu_count() or 1) >= CORES_TO_SPARE else {},
        ),
    ),
)
