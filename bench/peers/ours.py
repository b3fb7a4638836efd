"""This library; in the project's own environment."""

from __future__ import annotations

import asyncio
import time

import uvloop

from bench.peers.side import URL, Side, counted, main
from durable_execution import DurableExecutor, ExecutorOptions, Task, TaskContext, open_storage


def executor(most: int) -> tuple[DurableExecutor, Task[int, int]]:
    made = DurableExecutor(open_storage(URL), ExecutorOptions(max_concurrent_task_executions=most))
    count = counted()

    @made.task
    async def add_one(_: TaskContext, number: int) -> int:
        count()
        return number + 1

    return made, add_one


class Ours(Side):
    def enqueue(self, number: int) -> float:
        return uvloop.run(self._enqueue(number))

    def work(self) -> None:
        uvloop.run(self._work())

    def latencies(self, number: int) -> list[float]:
        return uvloop.run(self._latencies(number))

    async def _enqueue(self, number: int) -> float:
        made, add_one = executor(0)
        async with made:
            begun = time.perf_counter()
            await asyncio.gather(*(made.enqueue_task(add_one, each) for each in range(number)))
            return time.perf_counter() - begun

    async def _work(self) -> None:
        made, _ = executor(5000)
        async with made:
            await asyncio.Event().wait()

    async def _latencies(self, number: int) -> list[float]:
        made, add_one = executor(0)
        found = []
        async with made:
            for each in range(number):
                begun = time.perf_counter()
                await (await made.enqueue_task(add_one, each)).result()
                found.append(time.perf_counter() - begun)
        return found


if __name__ == "__main__":
    main(Ours())
