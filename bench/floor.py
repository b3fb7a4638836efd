"""The least engine that is still durable on SQLite: what an engine has to come near, or explain.

One connection in one thread, a table of seven columns, one transaction for all that has gathered
while the one before was under way. Three writes for each task (insert, claim, finish), one asyncio
task for each run, payloads in JSON. No retries, no leases, no fences, no trees, no types.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

CLAIM_LIMIT = 500

_INSERT = "INSERT INTO task (id, status, start_at, input) VALUES (?, 'ready', ?, ?)"
_CLAIM = (
    "UPDATE task SET status = 'running' WHERE id IN (SELECT id FROM task WHERE status = 'ready' "
    "ORDER BY start_at LIMIT ?) RETURNING id, input"
)
_FINISH = "UPDATE task SET status = 'completed', output = ? WHERE id = ? AND status = 'running'"


class Batch(NamedTuple):
    """What one transaction writes."""

    inserts: list[tuple[str, int, bytes]]
    finishes: list[tuple[bytes, str]]
    wants_work: bool


class Floor:
    """Runs one function durably."""

    def __init__(self, path: Path, synchronous: str, function: Callable[[int], Any]) -> None:
        self._path = path
        self._synchronous = synchronous
        self._function = function
        self._thread = ThreadPoolExecutor(1)
        self._connection: sqlite3.Connection | None = None
        self._serial = itertools.count()
        self._inserts: list[tuple[tuple[str, int, bytes], asyncio.Future[None]]] = []
        self._finishes: list[tuple[bytes, str]] = []
        self._results: dict[str, asyncio.Future[int]] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._wants_work = False
        self._has_work = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Floor:
        await self._in_thread(self._connect)
        self._pump = asyncio.create_task(self._keep_writing())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._pump is not None
        self._pump.cancel()
        await asyncio.wait({self._pump})
        assert self._connection is not None
        await self._in_thread(self._connection.close)
        self._thread.shutdown()

    async def submit(self, number: int) -> asyncio.Future[int]:
        """Enqueue; durable when this returns. The result comes through the future."""
        loop = asyncio.get_running_loop()
        serial = next(self._serial)
        task_id = f"{serial:016d}"
        result = self._results[task_id] = loop.create_future()
        durable: asyncio.Future[None] = loop.create_future()
        row = (task_id, serial, msgspec.json.encode(number))
        self._inserts.append((row, durable))
        self._has_work.set()
        await durable
        return result

    async def _keep_writing(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            inserts, self._inserts = self._inserts, []
            finishes, self._finishes = self._finishes, []
            rows = [row for row, _ in inserts]
            batch = Batch(rows, finishes, self._wants_work or bool(rows))
            claimed = await self._in_thread(lambda batch=batch: self._write(batch))
            for _, durable in inserts:
                durable.set_result(None)
            for output, task_id in finishes:
                self._results.pop(task_id).set_result(msgspec.json.decode(output))
            self._wants_work = len(claimed) == CLAIM_LIMIT
            if self._wants_work:
                self._has_work.set()
            for task_id, payload in claimed:
                run = asyncio.create_task(self._run(task_id, payload))
                self._runs.add(run)
                run.add_done_callback(self._runs.discard)

    async def _run(self, task_id: str, payload: bytes) -> None:
        output = await self._function(msgspec.json.decode(payload))
        self._finishes.append((msgspec.json.encode(output), task_id))
        self._has_work.set()

    def _write(self, batch: Batch) -> list[tuple[str, bytes]]:
        assert self._connection is not None
        execute, claimed = self._connection.execute, []
        execute("BEGIN IMMEDIATE")
        if batch.inserts:
            self._connection.executemany(_INSERT, batch.inserts)
        if batch.finishes:
            self._connection.executemany(_FINISH, batch.finishes)
        # A commit of its own would be a third fsync: what is inserted and claimed by one
        # transaction was never ready on disk, but was written twice all the same.
        if batch.wants_work:
            claimed = execute(_CLAIM, (CLAIM_LIMIT,)).fetchall()
        execute("COMMIT")
        return claimed

    def _connect(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        self._connection.execute(
            "CREATE TABLE task (id TEXT PRIMARY KEY, status TEXT NOT NULL, start_at INTEGER, "
            "executor TEXT, fence INTEGER, input BLOB, output BLOB)"
        )
        self._connection.execute("CREATE INDEX ready ON task (start_at) WHERE status = 'ready'")

    def _in_thread(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function)
