"""A database asked past all engines: what is left to do, how much is stored, filling it up."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from bench.place import Place

_FINISHED = "('completed', 'failed', 'timed_out', 'finalize_failed', 'cancelled')"
_OURS = f"SELECT 1 FROM durable_task_executions WHERE status NOT IN {_FINISHED} LIMIT 1"
_FLOOR = "SELECT 1 FROM floor_tasks WHERE status <> 2 LIMIT 1"
PAST_ID = "te_0"
"""How the ids of rows begin that were not made by an engine: older than any other."""
_SERIES = {
    # What the number of a row is called, an id made of it, where numbers come from.
    "postgres": ("n", f"'{PAST_ID}' || lpad(n::text, 23, '0')", "generate_series(1, {rows}) n", ""),
    "mariadb": ("seq", f"CONCAT('{PAST_ID}', LPAD(seq, 23, '0'))", "seq_1_to_{rows}", ""),
    "sqlite": (
        "n",
        f"'{PAST_ID}' || printf('%023d', n)",
        "numbers",
        "WITH RECURSIVE numbers (n) AS "
        "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})",
    ),
}


class Database:
    """A connection of its own. Use as `async with Database(side, place) as database:`."""

    def __init__(self, side: str, place: Place) -> None:
        self._side = side
        self._place = place
        self._connection: Any = None

    async def __aenter__(self) -> Database:
        if self._place.storage == "postgres":
            import asyncpg

            settings = {"search_path": self._place.schema}
            self._connection = await asyncpg.connect(self._place.server, server_settings=settings)
        elif self._place.storage == "mariadb":
            import asyncmy

            url = urlsplit(self._place.url)
            self._connection = await asyncmy.connect(
                host=url.hostname,
                port=url.port,
                user=url.username,
                db=url.path.strip("/"),
                autocommit=True,
            )
        else:
            file = "floor.db" if self._side == "floor" else "tasks.db"
            path = self._place.folder / file
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._place.storage == "postgres":
            await self._connection.close()
        elif self._place.storage == "mariadb":
            await self._connection.ensure_closed()
        else:
            self._connection.close()

    async def fetch(self, text: str) -> Sequence[Sequence[Any]]:
        """Run one statement and return its rows."""
        if self._place.storage == "postgres":
            rows: Sequence[Sequence[Any]] = await self._connection.fetch(text)
            return rows
        if self._place.storage == "mariadb":
            async with self._connection.cursor() as cursor:
                await cursor.execute(text)
                return list(await cursor.fetchall())
        return self._connection.execute(text).fetchall()  # type: ignore[no-any-return]

    async def has_unfinished(self) -> bool:
        """Whether a task has not ended."""
        return bool(await self.fetch(_FLOOR if self._side == "floor" else _OURS))

    async def multiply(self, status: str, rows: int, task_id: str | None = None) -> None:
        """Store so many copies of the one execution that has this status, older than it.

        They stand for what was enqueued in the past; `task_id` makes them those of another task.
        """
        from durable_execution.storage.sql.rows import FIELDS

        number, new_id, numbers, series = _SERIES[self._place.storage.partition("-")[0]]
        replaced = {"execution_id": new_id, "start_at": f"start_at - {rows} + {number}"}
        if task_id is not None:
            replaced["task_id"] = f"'{task_id}'"
        columns = ", ".join(replaced.get(name, name) for name in FIELDS)
        table, made = "durable_task_executions", numbers.format(rows=rows)
        await self.fetch(
            f"INSERT INTO {table} ({', '.join(FIELDS)}) {series.format(rows=rows)} "
            f"SELECT {columns} FROM {table}, {made} WHERE {table}.status = '{status}'"
        )
        if self._place.storage == "postgres":  # as autovacuum would, were there a minute to wait
            await self.fetch(f"VACUUM (ANALYZE) {table}")
            await self.fetch("CHECKPOINT")
