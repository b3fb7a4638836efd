"""DBOS: workflows without steps on a queue that is polled every 10 ms."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSClient, DBOSConfig

from bench.peers.side import URL, Side, counted, main, timed

QUEUE = "bench"
POLL = 0.01
CONCURRENCY = 100
SENDERS = 8
OPTIONS = {"workflow_name": "add_one", "queue_name": QUEUE}


class Dbos(Side):
    def install(self) -> None:
        self._launch()
        DBOS.destroy()

    def enqueue(self, number: int) -> float:
        client = DBOSClient(system_database_url=URL)
        begun = time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(lambda each: client.enqueue(OPTIONS, each), range(number)))
        return time.perf_counter() - begun

    def work(self) -> None:
        self._launch()
        threading.Event().wait()

    def latencies(self, number: int) -> list[float]:
        client = DBOSClient(system_database_url=URL)

        def call(each: int) -> None:
            handle = client.enqueue(OPTIONS, each)
            handle.get_result(polling_interval_sec=POLL)

        return timed(number, call)

    def _launch(self) -> None:
        config: DBOSConfig = {
            "name": "bench",
            "system_database_url": URL,
            "log_level": "ERROR",
            "application_version": "1",
        }
        DBOS(config=config)
        count = counted()

        @DBOS.workflow(name="add_one")
        def add_one(number: int) -> int:
            count()
            return number + 1

        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=POLL)


if __name__ == "__main__":
    main(Dbos())
