"""What each system does for the comparison; its module ends in `main(Name())`.

    python -m bench.peers.NAME install | enqueue NUMBER | work | latency NUMBER

`BENCH_URL` says where the database is; `BENCH_FOLDER` where tasks that have run are counted.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.counting import Counters

URL = os.environ.get("BENCH_URL", "")
WARM_UP = 10


class Side:
    """One system. Tasks take a number, call `count`, and return the number plus one."""

    def install(self) -> None:
        """Make tables, where there are any."""

    def enqueue(self, number: int) -> float:
        """Enqueue so many, the fastest way there is; return the seconds that took."""
        raise NotImplementedError

    def work(self) -> None:
        """Run tasks until the process is ended."""
        raise NotImplementedError

    def latencies(self, number: int) -> list[float]:
        """Return the seconds of so many calls, or nothing where results are not kept."""
        return []


def counted() -> Callable[[], None]:
    """Return what a task calls to be counted."""
    return Counters(Path(os.environ["BENCH_FOLDER"])).count


def timed(calls: int, call: Callable[[int], object]) -> list[float]:
    """Return the seconds of so many calls, one at a time."""
    found = []
    for number in range(calls):
        begun = time.perf_counter()
        call(number)
        found.append(time.perf_counter() - begun)
    return found


def main(side: Side) -> None:
    command, *rest = sys.argv[1:]
    if command == "install":
        side.install()
    elif command == "enqueue":
        print(json.dumps(int(rest[0]) / side.enqueue(int(rest[0]))))
    elif command == "work":
        side.work()
    else:
        found = side.latencies(WARM_UP + int(rest[0]))[WARM_UP:]
        print(json.dumps(statistics.median(found) * 1e3 if found else None))
