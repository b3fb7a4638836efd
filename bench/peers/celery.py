"""Celery on Redis: the solo pool, which costs least for tasks that do next to nothing."""

from __future__ import annotations

import time

from celery import Celery

from bench.peers.side import URL, Side, counted, main, timed

app = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=100,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="add_one")
def add_one(number: int) -> int:
    count()
    return number + 1


class OnCelery(Side):
    def enqueue(self, number: int) -> float:
        begun = time.perf_counter()
        for each in range(number):
            add_one.delay(each)
        return time.perf_counter() - begun

    def work(self) -> None:
        app.worker_main(["worker", "--pool=solo", "--loglevel=ERROR", "--without-mingle"])

    def latencies(self, number: int) -> list[float]:
        return timed(number, lambda each: add_one.delay(each).get(timeout=10))


count = counted()
if __name__ == "__main__":
    main(OnCelery())
