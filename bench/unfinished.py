"""Asking a database, past all engines, whether a task in it has not ended."""

from __future__ import annotations

import sqlite3
from typing import Any
from urllib.parse import urlsplit

from bench.place import Place

_FINISHED = "('completed', 'failed', 'timed_out', 'finalize_failed', 'cancelled')"
_OURS = f"SELECT 1 FROM durable_task_executions WHERE status NOT IN {_FINISHED} LIMIT 1"
_FLOOR = "SELECT 1 FROM floor_tasks WHERE status <> 2 LIMIT 1"


class Unfinished:
    """A connection of its own, used when little can be left to do."""

    def __init__(self, side: str, place: Place) -> None:
        self._text = _OURS if side == "ours" else _FLOOR
        self._place = place
        file = "tasks.db" if side == "ours" else "floor.db"
        self._path = place.folder / file
        self._connection: Any = None

    async def __aenter__(self) -> Unfinished:
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
            self._connection = sqlite3.connect(self._path, isolation_level=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._place.storage == "postgres":
            await self._connection.close()
        elif self._place.storage == "mariadb":
            await self._connection.ensure_closed()
        else:
            self._connection.close()

    async def any(self) -> bool:
        if self._place.storage == "postgres":
            return bool(await self._connection.fetch(self._text))
        if self._place.storage == "mariadb":
            async with self._connection.cursor() as cursor:
                await cursor.execute(self._text)
                return bool(await cursor.fetchall())
        return bool(self._connection.execute(self._text).fetchall())
