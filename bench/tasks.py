"""Tasks per second and latencies of an executor, beside the least engine that is still durable.

    python -m bench.tasks [--storage memory|sqlite|sqlite-normal ...] [--tasks 20000]

See README.md here for how to read the table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.workloads import CALLERS, ENGINES, STEPS, Measures, measure

try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop

RESULTS = Path(__file__).parent / "results" / "latest.jsonl"
FLOORS = {"sqlite": "floor", "sqlite-normal": "floor-normal"}
COLUMNS = {
    "callers_tasks_s": f"tasks/s,\n{CALLERS:,} callers",
    "callers_cpu_us": "CPU µs\na task",
    "bulk_enqueue_s": "enqueued/s,\nall at once",
    "bulk_tasks_s": "tasks/s,\nall at once",
    "idle_p50_ms": "idle\np50 ms",
    "idle_p99_ms": "idle\np99 ms",
    "ten_steps_p50_ms": f"{STEPS} steps\np50 ms",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    storages = [name for name in ENGINES if name not in FLOORS.values()]
    parser.add_argument("--storage", nargs="+", choices=storages, default=storages)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only is not None:
        print(json.dumps(run_here(arguments.only, arguments.tasks)))
        return
    subjects = [name for each in arguments.storage for name in (each, FLOORS.get(each)) if name]
    results: dict[str, list[Measures]] = {subject: [] for subject in subjects}
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(surroundings())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.unlink(missing_ok=True)
    for number in range(arguments.rounds):
        for subject in subjects:  # A B A B: what slows the machine down slows all of them down
            console.print(f"round {number + 1} of {arguments.rounds}: {subject}", style="dim")
            results[subject].append(run_apart(subject, arguments.tasks))
            keep(subject, arguments.tasks, results[subject][-1])
    console.print(table_of(results))


def run_here(subject: str, tasks: int) -> Measures:
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        return runner.run(measure(subject, Path(folder), tasks))


def run_apart(subject: str, tasks: int) -> Measures:
    """Measure in a new process, so that no subject inherits the memory of another."""
    command = [sys.executable, "-m", "bench.tasks", "--only", subject, "--tasks", str(tasks)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    measures: Measures = json.loads(output)
    return measures


def surroundings() -> str:
    loop = new_event_loop.__module__.partition(".")[0]
    return (
        f"Python {platform.python_version()}, {loop}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def keep(subject: str, tasks: int, measures: Measures) -> None:
    """Add a line to the results of this run."""
    facts = {"subject": subject, "tasks": tasks, "at": round(time.time())}
    with RESULTS.open("a") as file:
        file.write(json.dumps({**facts, "surroundings": surroundings(), **measures}) + "\n")


def table_of(results: dict[str, list[Measures]]) -> Table:
    table = Table(
        title="Medians; in brackets the spread from the lowest to the highest, in percent"
    )
    table.add_column("")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for subject, rounds in results.items():
        table.add_row(subject, *(cell([each[name] for each in rounds]) for name in COLUMNS))
    return table


def cell(values: list[float]) -> str:
    median = statistics.median(values)
    spread = (max(values) - min(values)) / median * 100
    return f"{median:,.{0 if median >= 100 else 2}f} ({spread:.0f})"


if __name__ == "__main__":
    main()
