"""Procrastinate: deferred in batches, 100 jobs at a time, listening. Keeps no results."""

from __future__ import annotations

import asyncio
import time

from procrastinate import App, PsycopgConnector

from bench.peers.side import URL, Side, counted, main

BATCH = 1000
CONCURRENCY = 100

app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(name="add_one")
async def add_one(number: int) -> int:
    count()
    return number + 1


class Procrastinate(Side):
    def install(self) -> None:
        asyncio.run(self._install())

    def enqueue(self, number: int) -> float:
        return asyncio.run(self._enqueue(number))

    def work(self) -> None:
        asyncio.run(self._work())

    async def _install(self) -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def _enqueue(self, number: int) -> float:
        async with app.open_async():
            begun = time.perf_counter()
            for first in range(0, number, BATCH):
                numbers = range(first, min(number, first + BATCH))
                await add_one.batch_defer_async(*({"number": each} for each in numbers))
            return time.perf_counter() - begun

    async def _work(self) -> None:
        async with app.open_async():
            await app.run_worker_async(concurrency=CONCURRENCY, listen_notify=True)


count = counted()
if __name__ == "__main__":
    main(Procrastinate())
