"""Whether something has become much slower: `make bench-check`, in two minutes.

Nothing here depends on how fast the machine is or what else runs on it. Instructions of the
process are counted, by the processor (`perf stat`) or where it has no counter by valgrind, and
each bound is a ratio to what the floor executes for the same work. The bounds are half as much
again as what was counted when they were set: a change that adds a tenth is seen in the figures
printed, one that doubles the work fails.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from bench.place import Place

FEW, MANY = 300, 1300
"""Two sizes: the difference between their instructions is what tasks cost, without starting."""


class Bound(NamedTuple):
    """What may be executed for a task, in multiples of what the floor executes for one."""

    storage: str
    path: str
    most: float


BOUNDS = (
    Bound("memory", "callers", 3.0),
    Bound("sqlite-normal", "callers", 3.0),
    Bound("sqlite-normal", "at once", 3.0),
)


def main() -> None:
    if len(sys.argv) > 1:
        side, path, tasks, place = sys.argv[1:]
        run(side, path, int(tasks), msgspec.json.decode(place, type=Place))
        return
    for folder in ("bench", "src"):  # or it is counted for the first process to import them
        compile_dir(Path(__file__).parents[1] / folder, quiet=1)
    count = counter()
    table = Table(title="Thousand instructions a task, and their ratio")
    for heading in ("storage", "path", "ours", "floor", "ratio", "at most"):
        table.add_column(heading, justify="left" if heading in ("storage", "path") else "right")
    failed = False
    asked = [(side, bound) for bound in BOUNDS for side in ("ours", "floor")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = [each / 1000 for each in pool.map(lambda each: count(*each), asked)]
    for bound, ours, floor in zip(BOUNDS, counts[::2], counts[1::2], strict=True):
        ratio = ours / floor
        failed |= ratio > bound.most
        colour = "red" if ratio > bound.most else "green"
        figures = (f"{ours:,.0f}", f"{floor:,.0f}", f"[{colour}]{ratio:.1f}[/]", f"{bound.most:g}")
        table.add_row(bound.storage, bound.path, *figures)
    Console().print(table)
    if failed:
        sys.exit("a task executes far more instructions than it did")


def counter() -> Count:
    """Return what counts instructions here."""
    perf, valgrind = shutil.which("perf"), shutil.which("valgrind")
    if perf is not None:
        probe = [perf, "stat", "-x,", "-e", "instructions:u", "true"]
        said = subprocess.run(probe, check=False, capture_output=True, text=True).stderr
        if re.match(r"\d+,", said):
            return Count([perf, "stat", "-x,", "-e", "instructions:u"], r"^(\d+),.*instructions")
    if valgrind is not None:
        tool = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        return Count(tool, r"Collected : (\d+)")
    sys.exit("perf with a hardware counter, or valgrind, is needed to count instructions")


class Count:
    """Counts the instructions that one task takes."""

    def __init__(self, tool: list[str], pattern: str) -> None:
        self._tool = tool
        self._pattern = re.compile(pattern, re.MULTILINE)

    def __call__(self, side: str, bound: Bound) -> float:
        few, many = (self._of(side, bound, tasks) for tasks in (FEW, MANY))
        return (many - few) / (MANY - FEW)

    def _of(self, side: str, bound: Bound, tasks: int) -> int:
        with tempfile.TemporaryDirectory(prefix="durable-bench-") as folder:
            url = "memory://"
            if bound.storage != "memory":
                url = f"sqlite:///{folder}/tasks.db?synchronous=NORMAL"
            place = Place(storage=bound.storage, url=url, directory=folder)
            command = [sys.executable, "-m", "bench.check", side, bound.path, str(tasks)]
            done = subprocess.run(
                [*self._tool, *command, msgspec.json.encode(place).decode()],
                check=True,
                capture_output=True,
                text=True,
                env={"PYTHONHASHSEED": "0"},
            )
        found = self._pattern.search(done.stderr)
        if found is None:
            sys.exit(f"no count in what the tool said:\n{done.stderr}")
        return int(found[1])


def run(side: str, path: str, tasks: int, place: Place) -> None:
    """Be the process whose instructions are counted; on the plain event loop, not uvloop."""

    async def work() -> None:
        from bench.engines import engine, opened
        from bench.pace import closed_loop

        async with opened(engine(side, place, "eager")) as made:
            if path == "callers":
                await closed_loop(made.call, tasks, 100)
            else:
                await asyncio.gather(*(made.call(number) for number in range(tasks)))

    asyncio.run(work())


if __name__ == "__main__":
    main()
