"""huey on Redis: workers that block on the list, in threads."""

from __future__ import annotations

import time

from huey import RedisHuey

from bench.peers.side import URL, Side, counted, main, timed

app = RedisHuey("bench", url=URL, blocking=True)


@app.task(name="add_one")
def add_one(number: int) -> int:
    count()
    return number + 1


class Huey(Side):
    def enqueue(self, number: int) -> float:
        begun = time.perf_counter()
        for each in range(number):
            add_one(each)
        return time.perf_counter() - begun

    def work(self) -> None:
        app.create_consumer(workers=4, periodic=False, check_worker_health=False).run()

    def latencies(self, number: int) -> list[float]:
        def call(each: int) -> None:
            add_one(each).get(blocking=True, timeout=10, backoff=1.0, max_delay=0.001)

        return timed(number, call)


count = counted()
if __name__ == "__main__":
    main(Huey())
