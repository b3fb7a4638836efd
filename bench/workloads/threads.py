"""Tasks that are plain functions and block for a millisecond, in 64 threads."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from bench.place import Place
from bench.storages import STORAGES
from bench.workload import Figure, Measures, Of, Workload, at_least, on

TASKS = 10_000
THREADS = 64
BLOCKED = 0.001


def block(number: int) -> int:
    time.sleep(BLOCKED)
    return number + 1


async def measure(side: str, place: Place) -> Measures:
    tasks = place.scaled(TASKS, least=1000)
    seconds = await (ours(place, tasks) if side == "ours" else bare(tasks))
    return {"tasks": tasks / seconds}


async def bare(tasks: int) -> float:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS) as pool:
        begun = time.perf_counter()
        await asyncio.gather(*(loop.run_in_executor(pool, block, each) for each in range(tasks)))
        return time.perf_counter() - begun


async def ours(place: Place, tasks: int) -> float:
    from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, open_storage

    executor = DurableExecutor(open_storage(place.url), ExecutorOptions(max_threads=THREADS))

    @executor.task
    def blocks(_: TaskContext, number: int) -> int:
        return block(number)

    async def call(number: int) -> None:
        await (await executor.enqueue_task(blocks, number)).result()

    async with executor:
        await asyncio.gather(*map(call, range(THREADS)))
        begun = time.perf_counter()
        await asyncio.gather(*map(call, range(tasks)))
        return time.perf_counter() - begun


WORKLOAD = Workload(
    number=8,
    title=f"{TASKS:,} functions that block for 1 ms, {THREADS} threads",
    sides=("ours", "floor"),
    measure=measure,
    figures=(
        Figure(
            metric="tasks/s beside a bare ThreadPoolExecutor",
            unit="/s",
            ours=Of("ours", "tasks"),
            floor=Of("floor", "tasks"),
            goals=on(STORAGES, at_least(0.7)),
        ),
    ),
)
