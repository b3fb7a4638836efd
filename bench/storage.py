"""Rows per second through a storage: insert, claim, finish, in batches, beside a bare SQLite loop.

    python -m bench.storage [--rows 20000]

Two bare loops stand beside it, one thread and three prepared statements each, without asyncio:
on the storage's own table, so that the difference is records, transitions and two hops between
threads for every call; and on the least table that would do, of six columns without checks, so
that the difference between the loops is what the columns, checks and indexes cost.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from durable_execution._core import transitions as law
from durable_execution.storage import Storage, open_storage
from durable_execution.storage.protocol import Beat, Claim
from durable_execution.storage.sql.migrations import schema_ddl
from durable_execution.storage.sql.rows import FIELDS, Row, to_row
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.statements import build_statements
from durable_execution.testing.records import RecordBuilder

BATCHES = (1, 100, 1000)
REPEATS = 3
Bare = Callable[[Path, str, int, int], float]


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


LEAN = (
    "CREATE TABLE task (id TEXT PRIMARY KEY, status TEXT, start_at INTEGER, fence INTEGER,"
    " input BLOB, output BLOB)",
    "CREATE INDEX ready ON task (start_at) WHERE status = 'ready'",
)
LEAN_INSERT = "INSERT INTO task VALUES (?, 'ready', ?, 0, ?, NULL)"
LEAN_CLAIM = (
    "UPDATE task SET status = 'running', fence = fence + 1 WHERE rowid IN (SELECT rowid"
    " FROM task WHERE status = 'ready' AND start_at <= 1 ORDER BY start_at LIMIT ?)"
    " RETURNING id, fence, input"
)
LEAN_FINISH = (
    "UPDATE task SET status = 'completed', output = ? WHERE id = ? AND status = 'running'"
    " AND fence = ?"
)


def lean_rate(path: Path, synchronous: str, rows: int, batch: int) -> float:
    connection = connected(path, synchronous, LEAN)
    new = [(f"x{number:08d}", 1, b'{"json":null}') for number in range(rows)]
    started = time.perf_counter()
    for first in range(0, rows, batch):
        write_many(connection, LEAN_INSERT, new[first : first + batch])
        claimed = fetch(connection, LEAN_CLAIM, (batch,))
        write_many(
            connection, LEAN_FINISH, [(b"[]", task_id, fence) for task_id, fence, _ in claimed]
        )
    rate = rows / (time.perf_counter() - started)
    connection.close()
    return rate


def same_table_rate(path: Path, synchronous: str, rows: int, batch: int) -> float:
    dialect = SqliteDialect()
    statements = build_statements(dialect)
    connection = connected(path, synchronous, schema_ddl(dialect))
    connection.execute("INSERT INTO durable_executors VALUES ('bench', 1 << 60)")
    pick = statements.claim.bind(executor_id="bench", now=1, task_ids='["task"]', limit=batch)
    new = [to_row(record) for record in RecordBuilder().roots(1, rows)]
    fence = FIELDS.index("fence")
    started = time.perf_counter()
    for first in range(0, rows, batch):
        write_many(connection, statements.insert.text, new[first : first + batch])
        claimed = fetch(connection, statements.claim.text, pick)
        finishes = [
            ("completed", b"[]", None, 2, 2, row[0], "running", row[fence], False)
            for row in claimed
        ]
        write_many(connection, statements.finish.text, finishes)
    rate = rows / (time.perf_counter() - started)
    connection.close()
    return rate


def connected(path: Path, synchronous: str, ddl: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    for text in ddl:
        connection.execute(text)
    return connection


def write_many(connection: sqlite3.Connection, text: str, rows: Sequence[Row]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(text, rows)
    connection.execute("COMMIT")


def fetch(connection: sqlite3.Connection, text: str, values: Row) -> list[Row]:
    connection.execute("BEGIN IMMEDIATE")
    rows = connection.execute(text, values).fetchall()
    connection.execute("COMMIT")
    return rows


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

    def bare(loop: Bare, synchronous: str, batch: int) -> float:
        count = rows if batch > 1 else rows // 10
        return median_of(lambda path: loop(path, synchronous, count, batch))

    subjects: dict[str, Callable[[int], float]] = {"memory": partial(measured, "memory://")}
    for level in ("NORMAL", "FULL"):
        url = f"sqlite:///{{}}?synchronous={level}"
        subjects[f"sqlite {level}"] = partial(measured, url)
        subjects[f"bare loop {level}, same table"] = partial(bare, same_table_rate, level)
        subjects[f"bare loop {level}, six columns"] = partial(bare, lean_rate, level)
    print("insert + claim + finish, rows/s".ljust(32), *[f"{batch:>10,}" for batch in BATCHES])
    for name, measure in subjects.items():
        print(name.ljust(32), *[f"{measure(batch):>10,.0f}" for batch in BATCHES], flush=True)


if __name__ == "__main__":
    main()
