"""The least engine on MariaDB: bare asyncmy, one statement for many rows, a look every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import asyncmy

from bench.floors import Function, Mode
from bench.floors.queue import CLAIM_LIMIT, QueueFloor, Rows

POLL_EVERY = 0.01
"""Seconds between two looks of a process that nobody in it has told of work."""
_TABLE = """\
CREATE TABLE IF NOT EXISTS floor_tasks (
    id BINARY(16) PRIMARY KEY, status TINYINT NOT NULL, due DATETIME(6), worker VARCHAR(20),
    name VARCHAR(20) NOT NULL, started DATETIME(6), finished DATETIME(6),
    input MEDIUMBLOB, output MEDIUMBLOB, INDEX floor_due (due)
) ENGINE = InnoDB"""
_INSERT = "INSERT INTO floor_tasks (id, status, due, name, input) VALUES {}"
_READY = "(%s, 0, NOW(6), 'a', %s)"
_INSERT_RUNNING = (
    "INSERT INTO floor_tasks (id, status, due, worker, name, started, input) VALUES {}"
)
_RUNNING = "(%s, 1, NOW(6) + INTERVAL 30 SECOND, 'w', 'a', NOW(6), %s)"
_PICK = f"""\
SELECT id, input FROM floor_tasks WHERE due <= NOW(6) ORDER BY due LIMIT {CLAIM_LIMIT}
FOR UPDATE SKIP LOCKED"""
_CLAIM = """\
UPDATE floor_tasks SET status = 1, due = NOW(6) + INTERVAL 30 SECOND, worker = 'w',
started = NOW(6) WHERE id IN ({})"""
# The rows are there: every one of them is an update, guarded like one.
_FINISH = """\
INSERT INTO floor_tasks (id, status, name, output) VALUES {} ON DUPLICATE KEY UPDATE
output = IF(status = 1, VALUES(output), output), finished = NOW(6), due = NULL, status = 2"""
_FINISHED = "(%s, 2, 'a', %s)"
_RESULTS = "SELECT id, output FROM floor_tasks WHERE status = 2 AND id IN ({})"


class MariaDbFloor(QueueFloor):
    to_key = staticmethod(lambda task_id: task_id.bytes)

    def __init__(self, function: Function, mode: Mode, url: str) -> None:
        super().__init__(function, mode)
        self._url = urlsplit(url)
        self._connections: list[Any] = []

    async def connect(self) -> None:
        for _ in range(3):
            connection = await asyncmy.connect(
                host=self._url.hostname,
                port=self._url.port,
                user=self._url.username,
                db=self._url.path.strip("/"),
                autocommit=True,
                init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            )
            self._connections.append(connection)
        async with self._connections[0].cursor() as cursor:
            await cursor.execute("SET SESSION sql_notes = 0")
            await cursor.execute(_TABLE)

    async def disconnect(self) -> None:
        for connection in self._connections:
            await connection.ensure_closed()

    async def insert(self, rows: Rows) -> None:
        text, row = (_INSERT_RUNNING, _RUNNING) if self.mode == "eager" else (_INSERT, _READY)
        await self._write(self._connections[0], text, row, rows)

    async def claim(self) -> Rows:
        connection = self._connections[1]
        await connection.begin()
        async with connection.cursor() as cursor:
            await cursor.execute(_PICK)
            rows: Rows = await cursor.fetchall()
            if rows:
                await cursor.execute(_CLAIM.format(_places(rows)), [key for key, _ in rows])
        await connection.commit()
        return rows

    async def finish(self, rows: Rows) -> None:
        await self._write(self._connections[2], _FINISH, _FINISHED, rows)

    async def read_results(self, keys: Sequence[Any]) -> Rows:
        async with self._connections[1].cursor() as cursor:
            await cursor.execute(_RESULTS.format(_places(keys)), keys)
            rows: Rows = await cursor.fetchall()
        return rows

    async def wait_for(self, event: asyncio.Event) -> None:
        if self.mode in ("eager", "queue"):
            await event.wait()
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), POLL_EVERY)

    async def _write(self, connection: Any, text: str, row: str, rows: Rows) -> None:
        values = [value for pair in rows for value in pair]
        async with connection.cursor() as cursor:
            await cursor.execute(text.format(", ".join([row] * len(rows))), values)


def _places(rows: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(rows))
