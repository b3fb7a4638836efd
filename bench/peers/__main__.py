"""Give other systems the same work: `make bench-peers`.

    python -m bench.peers [--systems pgqueuer,celery] [--rounds 5]

Each system enqueues tasks that add one; then one worker process drains them; then a process waits
for the result of one task at a time. Throughput counts from when a quarter has run, so that no
system pays for its start and none is given its first batch, until the last one has run and, in a
database, is recorded as ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.counting import Counters
from bench.peers.databases import Databases
from bench.results import LATEST

HERE = Path(__file__).parent
THEIRS = HERE / ".venv" / "bin" / "python"
PEERS = LATEST.with_name("peers.jsonl")
LATENCY_CALLS = 100
START_TIMEOUT, DRAIN_TIMEOUT = 30.0, 180.0
LOOK_EVERY = 0.001
IN_REDIS = "in Redis's memory"


@dataclass(frozen=True)
class System:
    """One row of the table."""

    title: str
    module: str
    database: str
    tasks: int
    results: str
    durability: str
    unfinished: str = ""
    """A query that finds something while the database knows of tasks that have not ended."""
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        return sys.executable if self.module == "ours" else str(THEIRS)


_LEASE = "run elsewhere within 15 s"
_OURS = "SELECT 1 FROM durable_task_executions WHERE finished_at IS NULL LIMIT 1"
_PGQUEUER = "SELECT 1 FROM pgqueuer LIMIT 1"
SYSTEMS = {
    "ours": System(
        "durable-execution, PostgreSQL", "ours", "postgres", 20_000, "kept", _LEASE, _OURS
    ),
    "ours-sqlite": System(
        "durable-execution, SQLite", "ours", "sqlite", 20_000, "kept", _LEASE, _OURS
    ),
    "pgqueuer-100": System(
        "pgqueuer, PostgreSQL, batches of 100",
        "pgqueuer",
        "postgres",
        20_000,
        "none",
        "run again after 30 s; completions are buffered",
        _PGQUEUER,
        settings={"BENCH_BATCH": "100"},
    ),
    "pgqueuer-500": System(
        "pgqueuer, PostgreSQL, batches of 500",
        "pgqueuer",
        "postgres",
        20_000,
        "none",
        "run again after 30 s; completions are buffered",
        _PGQUEUER,
        settings={"BENCH_BATCH": "500"},
    ),
    "procrastinate": System(
        "Procrastinate, PostgreSQL",
        "procrastinate",
        "postgres",
        3000,
        "none",
        "found as stalled, by a task one writes",
        "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1",
    ),
    "dbos": System(
        "DBOS, PostgreSQL, a queue of workflows",
        "dbos",
        "postgres",
        1000,
        "kept",
        "recovered by the same executor's restart",
        "SELECT 1 FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING') LIMIT 1",
    ),
    "celery": System(
        "Celery, Redis", "celery", "redis", 5000, IN_REDIS, "run again after 1 h (acks_late)"
    ),
    "taskiq": System(
        "taskiq, Redis stream", "taskiq", "redis", 5000, IN_REDIS, "run again when idle for long"
    ),
    "huey": System("huey, Redis", "huey", "redis", 5000, IN_REDIS, "lost"),
    "dramatiq": System(
        "dramatiq, Redis", "dramatiq", "redis", 5000, IN_REDIS, "requeued by another worker"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    if not THEIRS.exists():
        sys.exit("the other systems are not installed: make bench-peers does that")
    names = arguments.systems.split(",")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    shared = {
        "rounds": arguments.rounds,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load_at_start": round(os.getloadavg()[0], 2),
        "cores": os.cpu_count(),
    }
    console = Console()
    with Databases() as databases:
        for number in range(arguments.rounds):
            for name in names if number % 2 == 0 else names[::-1]:
                found[name].append(measured(SYSTEMS[name], databases))
                console.print(f"round {number + 1}: {name} {found[name][-1]}", style="dim")
    lines = [{**line(SYSTEMS[name], found[name]), **shared} for name in names]
    write(lines)
    console.print(table_of(lines))


def measured(system: System, databases: Databases) -> dict[str, Any]:
    """Give one system its work, on a database of its own."""
    with databases.fresh(system.database) as url, tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            **system.settings,
            "BENCH_URL": url,
            "BENCH_FOLDER": folder,
            "DBOS__CLOUD": "false",
        }
        command = [system.python, "-m", f"bench.peers.{system.module}"]
        counters = Counters(Path(folder))

        def run(*words: str) -> str:
            return subprocess.run(
                [*command, *words],
                check=True,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
            ).stdout

        run("install")
        enqueued = json.loads(run("enqueue", str(system.tasks)).splitlines()[-1])
        with subprocess.Popen([*command, "work"], env=environment) as worker:
            try:
                drained = rate(counters, system, url, worker)
                latency = json.loads(run("latency", str(LATENCY_CALLS)).splitlines()[-1])
            finally:
                worker.kill()
    return {"enqueued": enqueued, "drained": drained, "latency_ms": latency}


def rate(counters: Counters, system: System, url: str, worker: subprocess.Popen[bytes]) -> float:
    """Return how many tasks ran a second, after a quarter and until all are recorded."""
    await_count(counters, 1, worker, START_TIMEOUT)
    await_count(counters, system.tasks // 4, worker, DRAIN_TIMEOUT)
    begun, before = time.perf_counter(), counters.total
    await_count(counters, system.tasks, worker, DRAIN_TIMEOUT)
    if system.unfinished:
        await_recorded(system.unfinished, url)
    return (system.tasks - before) / (time.perf_counter() - begun)


def await_count(
    counters: Counters, number: int, worker: subprocess.Popen[bytes], timeout: float
) -> None:
    deadline = time.monotonic() + timeout
    while counters.total < number:
        if worker.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{worker.args!r} has run {counters.total} of {number} tasks")
        time.sleep(LOOK_EVERY)  # nobody tells


def await_recorded(query: str, url: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            while database.execute(query).fetchone():
                time.sleep(LOOK_EVERY)
        return

    async def look() -> None:
        connection = await asyncpg.connect(url)
        while await connection.fetch(query):
            await asyncio.sleep(LOOK_EVERY)
        await connection.close()

    asyncio.run(look())


def write(lines: Sequence[dict[str, Any]]) -> None:
    """Keep the results, and those of systems that were not run this time."""
    text = PEERS.read_text() if PEERS.exists() else ""
    new = {each["system"] for each in lines}
    kept = [each for each in map(json.loads, text.splitlines()) if each["system"] not in new]
    PEERS.parent.mkdir(exist_ok=True)
    every = [json.dumps(each, ensure_ascii=False) + "\n" for each in (*kept, *lines)]
    PEERS.write_text("".join(every))


def line(system: System, rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def median(name: str) -> float | None:
        values = [each[name] for each in rounds]
        return None if None in values else statistics.median(values)

    return {
        "system": system.title,
        "tasks": system.tasks,
        "enqueued": median("enqueued"),
        "drained": median("drained"),
        "latency_ms": median("latency_ms"),
        "results": system.results,
        "durability": system.durability,
    }


def table_of(lines: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="The same tasks, one worker process; medians")
    for heading in ("system", "tasks", "enqueued/s", "drained/s", "idle ms", "results", "a crash"):
        is_number = heading in ("tasks", "enqueued/s", "drained/s", "idle ms")
        table.add_column(heading, justify="right" if is_number else "left")
    for each in lines:
        latency = "" if each["latency_ms"] is None else f"{each['latency_ms']:.1f}"
        table.add_row(
            each["system"],
            f"{each['tasks']:,}",
            f"{each['enqueued']:,.0f}",
            f"{each['drained']:,.0f}",
            latency,
            each["results"],
            each["durability"],
        )
    return table


if __name__ == "__main__":
    main()
