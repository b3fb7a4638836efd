"""The databases on which processes meet, looked at past everything that is under test."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Coroutine, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg

T = TypeVar("T")
ANSWER_TIMEOUT = 10.0


class Database(Protocol):
    """A database that processes share."""

    @property
    def url(self) -> str:
        """What a process opens."""
        ...

    def query(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run and commit one statement, with a `?` for each value."""
        ...

    def is_anybody_writing(self) -> bool:
        """Whether somebody is in the midst of a transaction, and perhaps holds locks."""
        ...

    def close(self) -> None: ...


class SqliteFile:
    """An SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def query(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path, timeout=ANSWER_TIMEOUT)) as connection, connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def is_anybody_writing(self) -> bool:
        with closing(sqlite3.connect(self.path, timeout=0.2)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False

    def close(self) -> None:
        """Nothing stays open."""


class PostgresSchema:
    """A schema of a PostgreSQL server, asked over one connection that a thread keeps.

    A thread, because tests ask in the middle of conditions that are no coroutines.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._server, _, self._schema = url.partition("?schema=")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection: Any = None

    def query(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        numbers = count(1)
        parts = statement.split("?")
        numbered = parts[0] + "".join(f"${next(numbers)}{part}" for part in parts[1:])
        return self._wait_for(self._fetch(numbered, values))

    def is_anybody_writing(self) -> bool:
        found = self.query(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND application_name = 'durable-execution' AND state <> 'idle'"
        )
        return bool(found)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _fetch(self, statement: str, values: Sequence[object]) -> list[dict[str, Any]]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._server, server_settings={"search_path": self._schema, "jit": "off"}
            )
        return [dict(row) for row in await self._connection.fetch(statement, *values)]

    def _wait_for(self, answer: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result(ANSWER_TIMEOUT)
