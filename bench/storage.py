"""Rows per second through a storage: insert, claim, finish, in batches, beside a bare SQLite loop.

    python -m bench.storage [--rows 20000]

The bare loop is the least that does the same work: one thread, three prepared statements, a table
of six columns and no asyncio. What a storage loses against it is rows of 33 columns, checks,
records, and a hop to its thread for every call.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from durable_execution._core import transitions as law
from durable_execution.storage import Storage, open_storage
from durable_execution.storage.protocol import Beat, Claim
from durable_execution.testing.records import RecordBuilder

BATCHES = (1, 100, 1000)
REPEATS = 3


async def storage_rate(storage: Storage, rows: int, batch: int) -> float:
    builder = RecordBuilder()
    await storage.open()
    await storage.heartbeat(Beat(executor_id="bench", lease_ms=3_600_000))
    claim = Claim(executor_id="bench", task_ids=frozenset({"task"}), limit=batch)
    now = await storage.now()
    batches = [builder.roots(now, batch) for _ in range(rows // batch)]
    started = time.perf_counter()
    for records in batches:
        await storage.insert(records)
        claimed = await storage.claim(claim)
        assert len(claimed.records) == batch
        finishes = [law.complete(row, output=b"[]", now=now) for row in claimed.records]
        applied = await storage.apply(finishes)
        assert all(applied.matched)
    rate = rows / (time.perf_counter() - started)
    await storage.close()
    return rate


def bare_rate(path: Path, synchronous: str, rows: int, batch: int) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(
        "CREATE TABLE task (id TEXT PRIMARY KEY, status TEXT, start_at INTEGER, fence INTEGER,"
        " input BLOB, output BLOB)"
    )
    connection.execute("CREATE INDEX ready ON task (start_at) WHERE status = 'ready'")
    ids = [f"x{number:08d}" for number in range(rows)]
    started = time.perf_counter()
    for first in range(0, rows, batch):
        chunk = ids[first : first + batch]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO task VALUES (?, 'ready', ?, 0, ?, NULL)",
            [(task_id, 1, b'{"json":null}') for task_id in chunk],
        )
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        claimed = connection.execute(
            "UPDATE task SET status = 'running', fence = fence + 1 WHERE rowid IN (SELECT rowid"
            " FROM task WHERE status = 'ready' AND start_at <= 1 ORDER BY start_at LIMIT ?)"
            " RETURNING id, fence, input",
            (batch,),
        ).fetchall()
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE task SET status = 'completed', output = ? WHERE id = ? AND status = 'running'"
            " AND fence = ?",
            [(b"[]", task_id, fence) for task_id, fence, _ in claimed],
        )
        connection.execute("COMMIT")
    rate = rows / (time.perf_counter() - started)
    connection.close()
    return rate


def median_of(measure: Callable[[Path], float]) -> float:
    rates = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            rates.append(measure(Path(folder) / "tasks.db"))
    return statistics.median(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows

    def measured(url: str, batch: int) -> float:
        count = rows if batch > 1 else rows // 10
        return median_of(
            lambda path: asyncio.run(storage_rate(open_storage(url.format(path)), count, batch))
        )

    def bare(synchronous: str, batch: int) -> float:
        count = rows if batch > 1 else rows // 10
        return median_of(lambda path: bare_rate(path, synchronous, count, batch))

    subjects: dict[str, Callable[[int], float]] = {
        "memory": lambda batch: measured("memory://", batch),
        "sqlite FULL": lambda batch: measured("sqlite:///{}", batch),
        "bare loop FULL": lambda batch: bare("FULL", batch),
        "sqlite NORMAL": lambda batch: measured("sqlite:///{}?synchronous=NORMAL", batch),
        "bare loop NORMAL": lambda batch: bare("NORMAL", batch),
    }
    print("insert + claim + finish, rows/s".ljust(32), *[f"{batch:>10,}" for batch in BATCHES])
    for name, measure in subjects.items():
        print(name.ljust(32), *[f"{measure(batch):>10,.0f}" for batch in BATCHES], flush=True)


if __name__ == "__main__":
    main()
