"""dramatiq on Redis: eight threads, results in Redis."""

from __future__ import annotations

import threading
import time

import dramatiq
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench.peers.side import URL, Side, counted, main, timed

broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="add_one", store_results=True)
def add_one(number: int) -> int:
    count()
    return number + 1


class Dramatiq(Side):
    def enqueue(self, number: int) -> float:
        begun = time.perf_counter()
        for each in range(number):
            add_one.send(each)
        return time.perf_counter() - begun

    def work(self) -> None:
        Worker(broker, worker_threads=8).start()
        threading.Event().wait()

    def latencies(self, number: int) -> list[float]:
        return timed(number, lambda each: add_one.send(each).get_result(block=True, timeout=10_000))


count = counted()
if __name__ == "__main__":
    main(Dramatiq())
