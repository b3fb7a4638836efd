"""A process that runs tasks for one that measures.

    python -m bench.worker SIDE SLOT PLACE

Says `ready` once it has loaded everything, starts when told to, says `open` when it has, and ends
when its standard input does.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from uvloop import new_event_loop

from bench.counting import Counters
from bench.engines import engine, opened
from bench.place import Place


class Worker:
    """The other end of such a process."""

    def __init__(self, side: str, slot: int, place: Place) -> None:
        command = [sys.executable, "-m", "bench.worker", side, str(slot)]
        self._process = subprocess.Popen(
            [*command, msgspec.json.encode(place).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.pid = self._process.pid
        self._await("ready")

    def begin(self) -> None:
        """Let it open its engine."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")

    def await_open(self) -> None:
        """Wait until the engine is open."""
        self._await("open")

    def end(self) -> None:
        """Let it shut down, and wait for that."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _await(self, word: str) -> None:
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        if said != word:
            raise RuntimeError(f"a worker said {said!r} in place of {word!r}")


@contextmanager
def workers(side: str, number: int, place: Place) -> Iterator[list[Worker]]:
    """Start processes that are ready to begin."""
    started = [Worker(side, slot, place) for slot in range(number)]
    try:
        yield started
    finally:
        for each in started:
            each.end()


async def work(side: str, slot: int, place: Place) -> None:
    counters = Counters(place.folder, slot)

    async def add_one(number: int) -> int:
        counters.count()
        return number + 1

    made = engine(side, place, "worker", add_one)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    if not await loop.run_in_executor(None, sys.stdin.readline):
        return
    async with opened(made):
        print("open", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    side, slot, place = sys.argv[1:]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work(side, int(slot), msgspec.json.decode(place, type=Place)))


if __name__ == "__main__":
    main()
