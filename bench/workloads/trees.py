"""Parents, sequences and loops, beside single tasks of the same engine in the same process."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from bench.engines import increment
from bench.pace import closed_loop, latencies, percentile, warm_up
from bench.place import Place
from bench.storages import STORAGES
from bench.workload import Figure, Measures, Of, Workload, at_most, on

PARENTS, CHILDREN = 1000, 10
WIDE = 1000
TASKS, CALLERS = 20_000, 2000
REPEATS = 3
IDLE_CALLS = 200


async def measure(_: str, place: Place) -> Measures:
    from bench.ours import STEPS, TURNS, Trees

    made = Trees(place, increment)
    await made.open()
    try:
        await warm_up(made.call)
        idle = percentile(await latencies(made.call, IDLE_CALLS), 50)
        tasks = place.scaled(TASKS, least=CALLERS)
        single = await closed_loop(made.call, tasks, CALLERS) / tasks
        parents = place.scaled(PARENTS, least=50)
        families = await seconds_of(made, made.family, [CHILDREN] * parents)
        wide = await median_of(made, made.family, WIDE)
        sequence = await median_of(made, made.sequence, 0)
        loop = await seconds_of(made, made.loop, [0])
    finally:
        await made.close()
    return {
        "single_us": single * 1e6,
        "families_us": families / (parents * (CHILDREN + 2)) * 1e6,
        "wide_us": wide / (WIDE + 2) * 1e6,
        "idle_ms": idle,
        "step_ms": sequence / STEPS * 1e3,
        "turn_ms": loop / TURNS * 1e3,
    }


async def seconds_of(made: Any, task: Any, inputs: list[int]) -> float:
    """Return how long it takes to run all of them, enqueued at once."""

    async def call(each: int) -> None:
        await (await made.executor.enqueue_task(task, each)).result()

    begun = time.perf_counter()
    await asyncio.gather(*map(call, inputs))
    return time.perf_counter() - begun


async def median_of(made: Any, task: Any, input: int) -> float:
    """Return how long one takes when nothing else runs."""
    return statistics.median([await seconds_of(made, task, [input]) for _ in range(REPEATS)])


def _figure(metric: str, unit: str, name: str, beside: str, bound: float) -> Figure:
    return Figure(
        metric=metric,
        unit=unit,
        ours=Of("ours", name),
        floor=Of("ours", beside),
        goals=on(STORAGES, at_most(bound)),
    )


WORKLOAD = Workload(
    number=4,
    title="trees, beside single tasks of the same run",
    sides=("ours",),
    measure=measure,
    figures=(
        _figure(
            f"{PARENTS:,} parents × {CHILDREN} children, finalized, beside workload 1",
            "µs/execution",
            "families_us",
            "single_us",
            2,
        ),
        _figure(
            f"one parent × {WIDE:,} children, beside workload 1",
            "µs/execution",
            "wide_us",
            "single_us",
            2,
        ),
        _figure("step of a sequence of 100, beside idle latency", "ms", "step_ms", "idle_ms", 3),
        _figure("turn of a loop of 1,000, beside idle latency", "ms", "turn_ms", "idle_ms", 3),
    ),
)
