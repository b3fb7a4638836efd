from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from durable_execution.errors import StorageError
from durable_execution.storage import open_storage
from durable_execution.storage.sql.migrations import STEPS, migrate
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.sqlite_connection import SqliteConnection
from durable_execution.storage.sql.statements import build_statements

DIALECT = SqliteDialect()
STEP = {"sqlite": ("CREATE TABLE later (x INTEGER)", "INSERT INTO later VALUES (7)")}


async def _migrate(file: Path, steps: tuple[dict[str, tuple[str, ...]], ...]) -> None:
    connection = SqliteConnection(
        lambda: sqlite3.connect(file, isolation_level=None), str(file), None
    )
    await connection.open()
    try:
        statements = build_statements(DIALECT)
        await connection.run(
            lambda transaction: migrate(transaction, DIALECT, statements, steps),
            "BEGIN IMMEDIATE",
        )
    finally:
        await connection.close()


def _ask(file: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(file)
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows


async def test_empty_database_is_created_at_the_newest_version(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/tasks.db")
    await storage.open()
    await storage.close()
    version = _ask(tmp_path / "tasks.db", "SELECT version FROM durable_execution_schema")
    assert version == [(len(STEPS) + 1,)]


async def test_older_database_takes_each_step_once(tmp_path: Path) -> None:
    file = tmp_path / "tasks.db"
    await _migrate(file, ())
    await _migrate(file, (STEP,))
    await _migrate(file, (STEP,))
    assert _ask(file, "SELECT x FROM later") == [(7,)]
    assert _ask(file, "SELECT version FROM durable_execution_schema") == [(2,)]


async def test_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "tasks.db"
    await _migrate(file, ())
    broken = {"sqlite": (*STEP["sqlite"], "ALTER TABLE nowhere ADD COLUMN x")}
    with pytest.raises(StorageError, match="nowhere"):
        await _migrate(file, (broken,))
    assert _ask(file, "SELECT version FROM durable_execution_schema") == [(1,)]
    assert _ask(file, "SELECT name FROM sqlite_master WHERE name = 'later'") == []


async def test_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "tasks.db"
    await _migrate(file, (STEP,) * 0 + ({"sqlite": ()},) * (len(STEPS) + 1))
    connection = sqlite3.connect(file)
    connection.execute("UPDATE durable_execution_schema SET version = 99")
    connection.commit()
    connection.close()
    storage = open_storage(f"sqlite:///{file}")
    with pytest.raises(StorageError, match="has schema version 99, this release knows 1 to"):
        await storage.open()
    assert _ask(file, "SELECT version FROM durable_execution_schema") == [(99,)]


OPEN_AND_INSERT = """
import asyncio, sys
from durable_execution.storage import open_storage
from durable_execution.testing.records import RecordBuilder

async def main(url, prefix):
    storage = open_storage(url)
    await storage.open()
    await storage.insert(RecordBuilder(prefix).roots(1, 20))
    await storage.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.processes
async def test_processes_that_open_an_empty_file_at_once_all_come_up(tmp_path: Path) -> None:
    file = tmp_path / "tasks.db"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPEN_AND_INSERT, f"sqlite:///{file}", f"p{number}_"
        )
        for number in range(6)
    ]
    assert [await process.wait() for process in processes] == [0] * 6
    assert _ask(file, "SELECT count(*) FROM durable_task_executions") == [(120,)]
