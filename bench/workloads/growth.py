"""A table that grows: new, with a million finished rows, with a million ready ones.

The ready ones are once tasks that the executor runs, and once those of another release, which it
must step over. Payloads grow, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from bench.counting import Counters
from bench.database import Database
from bench.engines import engine, increment, opened
from bench.pace import closed_loop, latencies, percentile, warm_up
from bench.place import Place
from bench.process import resident_mb
from bench.storages import DURABLE
from bench.worker import workers
from bench.workload import Figure, Measures, Of, Workload, at_least, at_most, on

ROWS = 1_000_000
TASKS, CALLERS = 20_000, 2000
IDLE_CALLS = 200
SETTLE = 3.0
"""Seconds that an executor has been idle when its memory is read."""
PAYLOADS = {"100 B": (100, 20_000, 2000), "10 kB": (10_000, 4000, 500), "1 MB": (1_000_000, 60, 16)}
"""Size, number of tasks, callers."""


class Stored(Protocol):
    """An engine of which the storage is at hand."""

    storage: Any


async def measure(side: str, place: Place) -> Measures:
    if side in ("payloads", "payloads-floor"):
        return await payloads("ours" if side == "payloads" else "floor", place)
    tasks = place.scaled(TASKS, least=CALLERS)
    rows = place.scaled(ROWS)
    if side == "ready":
        await fill(place, "ready", rows)
        return await drained(place, tasks)
    if side == "finished":
        await fill(place, "completed", rows)
    elif side == "of others":
        await fill(place, "ready", rows, "of_another_release")
    measures = {"rss_mb": await idle_memory(place)}
    made: Any = engine("ours", place, "eager")
    times = timed_claims(made)
    async with opened(made):
        await warm_up(made.call)
        measures["idle_ms"] = percentile(await latencies(made.call, IDLE_CALLS), 50)
        measures["tasks"] = tasks / await closed_loop(made.call, tasks, CALLERS)
        if side == "empty":
            await closed_loop(made.call, tasks, CALLERS)
            measures["third"] = tasks / await closed_loop(made.call, tasks, CALLERS)
    measures["claim_ms"] = percentile(sorted(times), 99)
    if side == "empty":
        await fill(place, "ready", tasks + 5000)
        drain = await drained(place, tasks)
        measures |= {f"drain_{name}": value for name, value in drain.items()}
    return measures


async def fill(place: Place, status: str, rows: int, task_id: str | None = None) -> None:
    """Store rows as if they had been enqueued long ago."""
    mode = "client" if status == "ready" else "eager"
    async with opened(engine("ours", place, mode)) as made:  # type: ignore[arg-type]
        await (made.enqueue(0) if status == "ready" else made.call(0))
    async with Database("ours", place) as database:
        await database.multiply(status, rows, task_id)


async def drained(place: Place, tasks: int) -> Measures:
    """Run the first of the backlog, and leave the rest."""
    counters = Counters(place.folder)
    before = counters.total

    async def add_one(number: int) -> int:
        counters.count()
        return await increment(number)

    made: Any = engine("ours", place, "worker", add_one)
    times = timed_claims(made)
    begun = time.perf_counter()
    async with opened(made):
        while counters.total - before < tasks:
            await asyncio.sleep(0.002)
        seconds = time.perf_counter() - begun
    return {"tasks": tasks / seconds, "claim_ms": percentile(sorted(times), 99)}


async def idle_memory(place: Place) -> float:
    with workers("ours", 1, place) as started:
        started[0].begin()
        started[0].await_open()
        await asyncio.sleep(SETTLE)
        return resident_mb(started[0].pid)


def timed_claims(made: Stored) -> list[float]:
    """Have the milliseconds of each claim put into the list that is returned."""
    claim: Callable[..., Awaitable[Any]] = made.storage.claim
    times: list[float] = []

    async def timed(*arguments: Any) -> Any:
        begun = time.perf_counter()
        claimed = await claim(*arguments)
        times.append((time.perf_counter() - begun) * 1e3)
        return claimed

    made.storage.claim = timed
    return times


async def payloads(side: str, place: Place) -> Measures:
    async def echo(text: str) -> str:
        return text

    measures = {}
    made: Any = engine(side, place, "eager", echo)
    call = made.echo if side == "ours" else made.call
    async with opened(made):
        for name, (size, full, callers) in PAYLOADS.items():
            text, tasks = "x" * size, place.scaled(full, least=callers)

            async def checked(number: int, text: str = text) -> int:
                assert await call(text) == text
                return number + 1

            await closed_loop(checked, callers, callers)
            measures[name] = tasks / await closed_loop(checked, tasks, callers)
    return measures


def _beside_empty(metric: str, unit: str, name: str, **options: Any) -> list[Figure]:
    return [
        Figure(
            metric=f"{metric}, {words}",
            unit=unit,
            ours=Of(side, name),
            floor=Of("empty", f"{options.get('prefix', '')}{name}" if side == "ready" else name),
            goals=on(DURABLE, options["goal"]) if "goal" in options else {},
        )
        for side, words in (
            ("finished", "a million finished"),
            ("of others", "a million ready of others"),
            ("ready", "draining a million"),
        )
        if side != "ready" or "prefix" in options
    ]


WORKLOAD = Workload(
    number=6,
    title="growth, beside an empty table",
    sides=("empty", "finished", "ready", "of others", "payloads", "payloads-floor"),
    storages=DURABLE,
    measure=measure,
    figures=(
        Figure(
            metric="tasks/s, third 20,000 beside the first",
            unit="/s",
            ours=Of("empty", "third"),
            floor=Of("empty", "tasks"),
            goals=on(DURABLE, at_least(0.8)),
        ),
        *_beside_empty("tasks/s", "/s", "tasks", goal=at_least(0.8), prefix="drain_"),
        *_beside_empty("claim p99", "ms", "claim_ms", goal=at_most(2), prefix="drain_"),
        *_beside_empty("idle latency p50", "ms", "idle_ms"),
        *_beside_empty("RSS of an idle executor", "MB", "rss_mb", goal=at_most(1.1)),
        Figure(
            metric="RSS of an idle executor, beside its bound",
            unit="MB",
            ours=Of("of others", "rss_mb"),
            floor=80.0,
            goals=on(DURABLE, at_most(1)),
        ),
        *(
            Figure(
                metric=f"tasks/s with payloads of {size}, beside the floor",
                unit="/s",
                ours=Of("payloads", size),
                floor=Of("payloads-floor", size),
                goals=on(DURABLE, at_least(0.5)),
            )
            for size in PAYLOADS
        ),
    ),
)
