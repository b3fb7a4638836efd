"""taskiq on a Redis stream, with results in Redis."""

from __future__ import annotations

import asyncio
import time

import uvloop
from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from bench.peers.side import URL, Side, counted, main

CONCURRENCY = 500
SENDERS = 100
broker = RedisStreamBroker(URL, xread_count=500).with_result_backend(
    RedisAsyncResultBackend(URL, result_ex_time=600)
)


@broker.task(task_name="add_one")
async def add_one(number: int) -> int:
    count()
    return number + 1


class Taskiq(Side):
    def enqueue(self, number: int) -> float:
        return uvloop.run(self._enqueue(number))

    def work(self) -> None:
        uvloop.run(self._work())

    def latencies(self, number: int) -> list[float]:
        return uvloop.run(self._latencies(number))

    async def _enqueue(self, number: int) -> float:
        await broker.startup()
        numbers = iter(range(number))

        async def send() -> None:
            for each in numbers:
                await add_one.kiq(each)

        begun = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(SENDERS)))
        return time.perf_counter() - begun

    async def _work(self) -> None:
        broker.is_worker_process = True
        await run_receiver_task(
            broker,
            max_async_tasks=CONCURRENCY,
            max_prefetch=CONCURRENCY,
            run_startup=True,
        )

    async def _latencies(self, number: int) -> list[float]:
        await broker.startup()
        found = []
        for each in range(number):
            begun = time.perf_counter()
            await (await add_one.kiq(each)).wait_result(check_interval=0.001, timeout=10)
            found.append(time.perf_counter() - begun)
        return found


count = counted()
if __name__ == "__main__":
    main(Taskiq())
