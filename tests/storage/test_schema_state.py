"""Opening without migrating: nothing is changed, and what does not fit is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from durable_execution import StorageError
from durable_execution.storage import SqlStorage, open_storage
from durable_execution.storage.sql.migrations import STEPS
from durable_execution.testing.records import RecordBuilder

NEWEST = 1 + len(STEPS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.db"


def unmigrated(url: str) -> SqlStorage:
    storage = open_storage(url, migrate=False)
    assert isinstance(storage, SqlStorage)
    return storage


async def migrated(url: str) -> None:
    storage = open_storage(url)
    await storage.open()
    await storage.close()


def change(file: Path, *statements: str) -> None:
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def test_current_tables_are_opened(file: Path) -> None:
    await migrated(f"sqlite:///{file}")
    storage = unmigrated(f"sqlite:///{file}")
    assert (await storage.schema_state()).is_current
    await storage.open()
    assert (await storage.schema_state()).is_current
    await storage.insert([RecordBuilder().root(1)])
    await storage.close()


async def test_file_that_does_not_exist_is_not_made(file: Path) -> None:
    with pytest.raises(StorageError, match="there is no such file"):
        await unmigrated(f"sqlite:///{file}").open()
    assert not file.exists()


async def test_empty_database_is_refused_and_left_empty(file: Path) -> None:
    change(file, "CREATE TABLE mine (x)")
    storage = unmigrated(f"sqlite:///{file}")
    assert await storage.schema_state() == (None, NEWEST, False)
    with pytest.raises(StorageError, match="no table durable_task_executions, and this storage"):
        await storage.open()
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    connection.close()


async def test_newer_and_older_versions_are_refused(file: Path) -> None:
    await migrated(f"sqlite:///{file}")
    for version, message in (
        (99, f"this release knows 1 to {NEWEST}"),
        (0, "run durable-execution db up"),
    ):
        change(file, f"UPDATE durable_execution_schema SET version = {version}")
        storage = unmigrated(f"sqlite:///{file}")
        assert (await storage.schema_state()).found == version
        with pytest.raises(StorageError, match=message):
            await storage.open()


async def test_tables_of_others_that_lack_a_column_are_refused(file: Path) -> None:
    await migrated(f"sqlite:///{file}")
    change(
        file,
        "DROP TABLE durable_execution_schema",
        "ALTER TABLE durable_executors RENAME COLUMN lease_expires_at TO other",
    )
    storage = unmigrated(f"sqlite:///{file}")
    assert await storage.schema_state() == (None, NEWEST, True)
    with pytest.raises(StorageError, match="lease_expires_at"):
        await storage.open()


async def test_postgres_is_looked_at_and_left_alone(postgres: Any) -> None:
    url = postgres.new_url()
    storage = unmigrated(url)
    assert await storage.schema_state() == (None, NEWEST, False)
    with pytest.raises(StorageError, match="no table durable_task_executions, and this storage"):
        await storage.open()
    connection = await asyncpg.connect(make_url(url).set(query={}).render_as_string())
    schema = make_url(url).query["schema"]
    assert await connection.fetchval("SELECT to_regnamespace($1)::text", schema) is None
    await connection.close()

    await migrated(url)
    assert (await storage.schema_state()).is_current
    await storage.open()
    await storage.close()
