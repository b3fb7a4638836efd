"""The least engine on SQLite: one thread, one connection, one transaction for all there is."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.floors import Function, Mode
from bench.floors.group import Group
from bench.floors.queue import CLAIM_LIMIT, QueueFloor, Rows

WATCH_EVERY = 0.001
"""Seconds between two looks at whether another process has written."""
_TABLE = """\
CREATE TABLE IF NOT EXISTS floor_tasks (
    id BLOB PRIMARY KEY, status INTEGER NOT NULL, start_at REAL NOT NULL, lease REAL, worker TEXT,
    name TEXT NOT NULL, started REAL, finished REAL, input BLOB, output BLOB
) WITHOUT ROWID"""
_INDEX = "CREATE INDEX IF NOT EXISTS floor_ready ON floor_tasks (start_at) WHERE status = 0"
_INSERT = "INSERT INTO floor_tasks (id, status, start_at, name, input) VALUES (?, 0, ?, 'a', ?)"
_INSERT_RUNNING = """\
INSERT INTO floor_tasks (id, status, start_at, lease, worker, name, started, input)
VALUES (?, 1, ?, ?, 'w', 'a', ?, ?)"""
_CLAIM = f"""\
UPDATE floor_tasks SET status = 1, lease = ?, worker = 'w', started = ? WHERE id IN
(SELECT id FROM floor_tasks WHERE status = 0 AND start_at <= ? ORDER BY start_at
LIMIT {CLAIM_LIMIT}) RETURNING id, input"""
_FINISH = """\
UPDATE floor_tasks SET status = 2, output = ?, finished = ?, lease = NULL
WHERE id = ? AND status = 1"""
_RESULTS = "SELECT id, output FROM floor_tasks WHERE status = 2 AND id IN ({})"
_Step = Callable[[sqlite3.Connection], Any]


class SqliteFloor(QueueFloor):
    to_key = staticmethod(lambda task_id: task_id.bytes)

    def __init__(self, function: Function, mode: Mode, path: str, synchronous: str) -> None:
        super().__init__(function, mode)
        self._path = path
        self._synchronous = synchronous
        self._thread = ThreadPoolExecutor(1)
        self._steps = Group(self._transact, 10)
        self._connection: sqlite3.Connection | None = None
        self._seen = 0

    async def connect(self) -> None:
        await self._in_thread(self._connect)

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._in_thread(self._connection.close)
        self._thread.shutdown()

    async def insert(self, rows: Rows) -> None:
        now = time.time()
        if self.mode == "eager":
            values = [(key, now, now + 30, now, payload) for key, payload in rows]
            await self._steps.add(
                lambda connection: connection.executemany(_INSERT_RUNNING, values)
            )
        else:
            ready = [(key, now, payload) for key, payload in rows]
            await self._steps.add(lambda connection: connection.executemany(_INSERT, ready))

    async def claim(self) -> Rows:
        now = time.time()
        claimed: list[tuple[bytes, bytes]] = []
        await self._steps.add(
            lambda connection: claimed.extend(connection.execute(_CLAIM, (now + 30, now, now)))
        )
        return claimed

    async def finish(self, rows: Rows) -> None:
        now = time.time()
        values = [(output, now, key) for key, output in rows]
        await self._steps.add(lambda connection: connection.executemany(_FINISH, values))

    async def read_results(self, keys: Sequence[Any]) -> Rows:
        text = _RESULTS.format(", ".join("?" * len(keys)))
        rows: Rows = await self._in_thread(lambda: self._open().execute(text, keys).fetchall())
        return rows

    async def wait_for(self, event: asyncio.Event) -> None:
        if self.mode in ("eager", "queue"):
            await event.wait()
            return
        while (version := await self._in_thread(self._version)) == self._seen:
            if event.is_set():
                break
            await asyncio.sleep(WATCH_EVERY)
        self._seen = version  # what is read now is at least as new

    async def _transact(self, steps: Sequence[_Step]) -> None:
        await self._in_thread(lambda: self._write(steps))

    def _write(self, steps: Sequence[_Step]) -> None:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        for step in steps:
            step(connection)
        connection.execute("COMMIT")

    def _version(self) -> int:
        version: int = self._open().execute("PRAGMA data_version").fetchone()[0]
        return version

    def _connect(self) -> None:
        self._connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        for text in (
            "PRAGMA journal_mode = WAL",
            f"PRAGMA synchronous = {self._synchronous}",
            _TABLE,
            _INDEX,
        ):
            self._connection.execute(text)

    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def _in_thread(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function)
