"""2,000 callers that enqueue a task, wait for its result, and begin again; one process."""

from __future__ import annotations

import time

from bench.engines import engine, opened
from bench.floors import Mode
from bench.pace import closed_loop, warm_up
from bench.place import Place
from bench.storages import DURABLE
from bench.workload import Figure, Measures, Of, Workload, at_least, on

TASKS = 20_000
CALLERS = 2000


async def measure(side: str, place: Place) -> Measures:
    mode: Mode = "queue" if side == "floor-queue" else "eager"
    if side == "floor-queue" and place.storage == "memory":
        return {}
    async with opened(engine(side, place, mode)) as made:
        await warm_up(made.call)
        cpu, tasks = time.process_time(), place.scaled(TASKS, least=CALLERS)
        seconds = await closed_loop(made.call, tasks, CALLERS)
        cpu = time.process_time() - cpu
    return {"tasks": tasks / seconds, "cpu_us": cpu / tasks * 1e6}


WORKLOAD = Workload(
    number=1,
    title=f"{TASKS:,} tasks, {CALLERS:,} waiting callers",
    sides=("ours", "floor", "floor-queue"),
    measure=measure,
    figures=(
        Figure(
            metric="tasks/s",
            unit="/s",
            ours=Of("ours", "tasks"),
            floor=Of("floor", "tasks"),
            goals={**on(DURABLE, at_least(0.5)), "memory": at_least(0.25)},
        ),
        Figure(
            metric="tasks/s beside a floor that claims",
            unit="/s",
            ours=Of("ours", "tasks"),
            floor=Of("floor-queue", "tasks"),
        ),
        Figure(
            metric="CPU of the process",
            unit="µs/task",
            ours=Of("ours", "cpu_us"),
            floor=Of("floor", "cpu_us"),
        ),
    ),
)
