"""The workloads, and the two kinds of engine that they are run on."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.floor import Floor
from bench.postgres import bundled_binaries, started
from durable_execution import DurableExecutor, Task, TaskContext, open_storage

CALLERS = 2000
STEPS = 10
WARM_UP = 500
IDLE_CALLS = 300
SEQUENCES = 20

Submit = Callable[[int], Awaitable[Awaitable[int]]]
"""Enqueues a task; when it returns the task is durable, and the result can be awaited."""
Measures = dict[str, float]


async def increment(number: int) -> int:
    return number + 1


async def measure(subject: str, folder: Path, tasks: int) -> Measures:
    """Run every workload on a new engine."""
    async with ENGINES[subject](folder / "tasks.db") as (submit, ten_steps):
        await all_at_once(submit, WARM_UP)
        measures = await one_at_a_time(submit)
        measures |= await sequences(ten_steps)
        measures |= await closed_loop(submit, tasks)
        measures |= await all_at_once(submit, tasks)
    return measures


async def one_at_a_time(submit: Submit) -> Measures:
    seconds = []
    for number in range(IDLE_CALLS):
        begun = time.perf_counter()
        assert await (await submit(number)) == number + 1
        seconds.append(time.perf_counter() - begun)
    seconds.sort()
    return {
        "idle_p50_ms": seconds[len(seconds) // 2] * 1e3,
        "idle_p99_ms": seconds[len(seconds) * 99 // 100] * 1e3,
    }


async def sequences(ten_steps: Callable[[int], Awaitable[int]]) -> Measures:
    seconds = []
    for number in range(SEQUENCES):
        begun = time.perf_counter()
        assert await ten_steps(number) == number + STEPS
        seconds.append(time.perf_counter() - begun)
    return {"ten_steps_p50_ms": statistics.median(seconds) * 1e3}


async def closed_loop(submit: Submit, tasks: int) -> Measures:
    """As many callers, each waiting for its result before it enqueues another."""
    numbers = iter(range(tasks))

    async def caller() -> None:
        for number in numbers:
            assert await (await submit(number)) == number + 1

    begun, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
    seconds = time.perf_counter() - begun
    return {
        "callers_tasks_s": tasks / seconds,
        "callers_cpu_us": (time.process_time() - cpu) / tasks * 1e6,
    }


async def all_at_once(submit: Submit, tasks: int) -> Measures:
    """Enqueue everything, then wait until everything has ended."""
    begun = time.perf_counter()
    results = await asyncio.gather(*(submit(number) for number in range(tasks)))
    enqueued = time.perf_counter()
    assert sum(await asyncio.gather(*results)) == tasks * (tasks + 1) // 2
    return {
        "bulk_enqueue_s": tasks / (enqueued - begun),
        "bulk_tasks_s": tasks / (time.perf_counter() - begun),
    }


Engine = tuple[Submit, Callable[[int], Awaitable[int]]]


@asynccontextmanager
async def executor(url: str) -> AsyncIterator[Engine]:
    executor = DurableExecutor(open_storage(url))

    @executor.task
    async def add_one(ctx: TaskContext, number: int) -> int:
        return await increment(number)

    ten: Task[int, int] = executor.sequential_tasks("ten", [add_one] * STEPS)

    async def submit(number: int) -> Awaitable[int]:
        return (await executor.enqueue_task(add_one, number)).result()

    async def ten_steps(number: int) -> int:
        return await (await executor.enqueue_task(ten, number)).result()

    async with executor:
        yield submit, ten_steps


@asynccontextmanager
async def floor(path: Path, synchronous: str) -> AsyncIterator[Engine]:
    async with Floor(path, synchronous, increment) as engine:

        async def ten_steps(number: int) -> int:
            for _ in range(STEPS):
                number = await (await engine.submit(number))
            return number

        yield engine.submit, ten_steps


@asynccontextmanager
async def on_postgres() -> AsyncIterator[Engine]:
    """Start a server of its own, every commit on disk."""
    with started(bundled_binaries(), fsync="on") as server:
        async with executor(server.url) as engine:
            yield engine


ENGINES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: executor("memory://"),
    "sqlite": lambda path: executor(f"sqlite:///{path}"),
    "floor": lambda path: floor(path, "FULL"),
    "sqlite-normal": lambda path: executor(f"sqlite:///{path}?synchronous=NORMAL"),
    "floor-normal": lambda path: floor(path, "NORMAL"),
    "postgresql": lambda _: on_postgres(),
}
"""By name. Those of the floor are measured beside the storages that they are the floor of."""
