"""pgqueuer: one call enqueues all, `BENCH_BATCH` rows are taken at a time. Keeps no results."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

from bench.peers.side import URL, Side, counted, main

BATCH = int(os.environ.get("BENCH_BATCH", "500"))


class Pgqueuer(Side):
    def install(self) -> None:
        asyncio.run(self._install())

    def enqueue(self, number: int) -> float:
        return uvloop.run(self._enqueue(number))

    def work(self) -> None:
        uvloop.run(self._work())

    async def _install(self) -> None:
        await Queries(AsyncpgDriver(await asyncpg.connect(URL))).install()

    async def _enqueue(self, number: int) -> float:
        queries = Queries(AsyncpgDriver(await asyncpg.connect(URL)))
        payloads: list[bytes | None] = [str(each).encode() for each in range(number)]
        begun = time.perf_counter()
        await queries.enqueue(["add_one"] * number, payloads, [0] * number)
        return time.perf_counter() - begun

    async def _work(self) -> None:
        queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))
        count = counted()

        @queue.entrypoint("add_one")
        async def add_one(job: Job) -> None:
            assert job.payload is not None
            count()
            _ = int(job.payload) + 1

        await queue.run(batch_size=BATCH, dequeue_timeout=timedelta(seconds=1))


if __name__ == "__main__":
    main(Pgqueuer())
