"""The least engine on PostgreSQL: bare asyncpg, arrays by `unnest`, one NOTIFY for each write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from bench.floors import Function, Mode
from bench.floors.queue import CLAIM_LIMIT, QueueFloor, Rows

# Plans that are made for each statement anew: a cached one is made for an empty table, and stays.
_SETTINGS = {"plan_cache_mode": "force_custom_plan", "random_page_cost": "1.1"}
_TABLE = """\
CREATE TABLE IF NOT EXISTS floor_tasks (
    id uuid PRIMARY KEY, status smallint NOT NULL, due timestamptz, worker text,
    start_at timestamptz NOT NULL DEFAULT now(), name text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(), started timestamptz, finished timestamptz,
    input bytea, output bytea
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS floor_due ON floor_tasks (due) WHERE due IS NOT NULL"""
_INSERT = """\
WITH new AS (
    INSERT INTO floor_tasks (id, status, due, name, input)
    SELECT i, 0, now(), 'a', p FROM unnest($1::uuid[], $2::bytea[]) AS t (i, p)
) SELECT pg_notify('floor_ready', '')"""
_INSERT_RUNNING = """\
INSERT INTO floor_tasks (id, status, due, worker, started, name, input)
SELECT i, 1, now() + interval '30 s', 'w', now(), 'a', p
FROM unnest($1::uuid[], $2::bytea[]) AS t (i, p)"""
_CLAIM = f"""\
UPDATE floor_tasks SET status = 1, due = now() + interval '30 s', worker = 'w', started = now()
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM floor_tasks WHERE due <= now() ORDER BY due LIMIT {CLAIM_LIMIT}
    FOR UPDATE SKIP LOCKED
)) RETURNING id, input"""
_FINISH = """\
UPDATE floor_tasks SET status = 2, output = t.o, finished = now(), due = NULL
FROM unnest($1::uuid[], $2::bytea[]) AS t (i, o)
WHERE floor_tasks.id = t.i AND floor_tasks.worker = 'w'"""
_FINISH_AND_TELL = f"WITH done AS ({_FINISH}) SELECT pg_notify('floor_done', '')"
_RESULTS = "SELECT id, output FROM floor_tasks WHERE status = 2 AND id = ANY ($1::uuid[])"


class PostgresFloor(QueueFloor):
    def __init__(self, function: Function, mode: Mode, url: str, schema: str) -> None:
        super().__init__(function, mode)
        self._url = url
        self._schema = schema
        self._connections: list[asyncpg.Connection] = []

    async def connect(self) -> None:
        settings = {**_SETTINGS, "search_path": self._schema}
        for _ in range(4):
            self._connections.append(await asyncpg.connect(self._url, server_settings=settings))
        await self._connections[0].execute(_TABLE)
        if self.mode in ("client", "worker"):
            listener = self._connections[3]
            await listener.add_listener("floor_ready", lambda *_: self.has_work.set())
            await listener.add_listener("floor_done", lambda *_: self.has_results.set())

    async def disconnect(self) -> None:
        for connection in self._connections:
            await connection.close()

    async def insert(self, rows: Rows) -> None:
        text = _INSERT_RUNNING if self.mode == "eager" else _INSERT
        await self._connections[0].fetch(text, *zip(*rows, strict=True))

    async def claim(self) -> Rows:
        rows: Rows = await self._connections[1].fetch(_CLAIM)
        return rows

    async def finish(self, rows: Rows) -> None:
        text = _FINISH_AND_TELL if self.mode == "worker" else _FINISH
        await self._connections[2].fetch(text, *zip(*rows, strict=True))

    async def read_results(self, keys: Sequence[Any]) -> Rows:
        rows: Rows = await self._connections[1].fetch(_RESULTS, keys)
        return rows

    async def wait_for(self, event: asyncio.Event) -> None:
        with suppress(TimeoutError):  # as long as that, somebody who listens may go unheard
            await asyncio.wait_for(event.wait(), 1)
