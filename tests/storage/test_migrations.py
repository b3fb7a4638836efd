from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, inspect, make_url

from durable_execution._core.progress import Progress, Report
from durable_execution.errors import StorageError
from durable_execution.storage import TaskExecutionTables, open_storage
from durable_execution.storage.protocol import Beat, Claim, Glance
from durable_execution.storage.sql.migrations import STEPS, migrate
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.sqlite_connection import SqliteConnection
from durable_execution.storage.sql.statements import build_statements
from durable_execution.testing.records import RecordBuilder
from tests.servers.mariadb_fixtures import MariaDb

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


class Older:
    """A database as the first release made it, and as this one brings it up to date."""

    STATEMENTS = (
        "DROP TABLE durable_task_execution_progress",
        *(
            f"ALTER TABLE durable_task_executions DROP COLUMN {name}"
            for name in ("traceparent", "past_attempts", "past_attempts_count")
        ),
        *(
            f"ALTER TABLE durable_executors DROP COLUMN {name}"
            for name in ("started_at", "beat_at", "held_count", "ended_count")
        ),
        "UPDATE durable_execution_schema SET version = 1",
    )

    def __init__(self, url: str) -> None:
        self._engine = create_engine(_sync(url))

    def make(self) -> None:
        kind = self._engine.dialect.name
        place = " ON durable_task_executions" if kind == "mysql" else ""
        indexes = ["durable_by_task", "durable_failed"]
        indexes += ["durable_unfinished"] if kind == "sqlite" else []
        statements = [f"DROP INDEX {name}{place}" for name in indexes]
        if kind != "sqlite":
            statements.append("ALTER TABLE durable_task_executions DROP COLUMN failed_id")
        if kind == "postgresql":
            statements.append("ALTER TABLE durable_task_executions SET (fillfactor = 80)")
        with self._engine.begin() as connection:
            for statement in (*statements, *self.STATEMENTS):
                connection.exec_driver_sql(statement)

    def shape(self) -> dict[str, list[str]]:
        """Return every table with its columns, as the database shows them."""
        inspector = inspect(self._engine)
        names = inspector.get_table_names()
        shape = {
            name: sorted(
                [
                    *(
                        f"{each['name']} {each['type']!r} {each['nullable']}"
                        for each in inspector.get_columns(name)
                    ),
                    *(
                        f"{each['name']} {each['column_names']}"
                        for each in inspector.get_indexes(name)
                    ),
                    str(inspector.get_pk_constraint(name)["constrained_columns"]),
                ]
            )
            for name in names
        }
        if self._engine.dialect.name == "postgresql":
            shape["options"] = self._options()
        self._engine.dispose()
        return shape

    def _options(self) -> list[str]:
        query = "SELECT reloptions FROM pg_class WHERE oid = 'durable_task_executions'::regclass"
        with self._engine.connect() as connection:
            return sorted(connection.exec_driver_sql(query).scalar_one())


def _sync(url: str) -> URL:
    parts = make_url(url)
    schema = parts.query.get("schema")
    if parts.get_backend_name() == "postgresql":
        options = {} if schema is None else {"options": f"-csearch_path={schema}"}
        return parts.set(drivername="postgresql+psycopg", query=options)
    return parts if parts.get_backend_name() == "sqlite" else parts.set(drivername="mysql+pymysql")


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
async def test_database_of_the_first_release_becomes_what_a_new_one_is(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    server = None if kind == "sqlite" else request.getfixturevalue(kind)
    url = f"sqlite:///{tmp_path}/tasks.db" if server is None else server.new_url()
    storage, older, records = open_storage(url), Older(url), RecordBuilder()
    await storage.open()
    rows = records.roots(await storage.now(), 2)
    await storage.insert(rows)
    new = older.shape()
    await storage.close()
    older.make()
    await storage.open()
    assert older.shape() == new
    assert (await storage.schema_state()).is_current  # type: ignore[attr-defined]
    await storage.heartbeat(Beat(executor_id="e", lease_ms=9_000))
    (row, other) = (
        await storage.claim(Claim(executor_id="e", task_ids=frozenset({"task"}), limit=2))
    ).records
    progress = Progress(1, 1, 0.5, "half", 7)
    assert await storage.report_progress([Report(row.execution_id, progress)]) == [True]
    glances = await storage.glance([row.execution_id, other.execution_id])
    assert glances == [Glance("running", 1, progress), Glance("running", 1)]
    await storage.close()


async def test_step_follows_the_names_of_the_tables(tmp_path: Path) -> None:
    tables = TaskExecutionTables(name="jobs")
    url = f"sqlite:///{tmp_path}/tasks.db"
    storage = open_storage(url, tables=tables)
    await storage.open()
    await storage.close()
    old = _ask(tmp_path / "tasks.db", "SELECT sql FROM sqlite_master ORDER BY name")
    connection = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
    connection.execute("DROP TABLE jobs_progress")
    for name in ("traceparent", "past_attempts", "past_attempts_count"):
        connection.execute(f"ALTER TABLE jobs DROP COLUMN {name}")
    for name in ("started_at", "beat_at", "held_count", "ended_count"):
        connection.execute(f"ALTER TABLE jobs_executors DROP COLUMN {name}")
    for name in ("by_task", "failed", "unfinished"):
        connection.execute(f"DROP INDEX jobs_{name}")
    connection.execute("UPDATE jobs_schema SET version = 1")
    connection.close()
    await storage.open()
    await storage.close()
    new = _ask(tmp_path / "tasks.db", "SELECT sql FROM sqlite_master ORDER BY name")
    assert [re.sub(r"\s+", "", str(row[0])) for row in new] == [
        re.sub(r"\s+", "", str(row[0])) for row in old
    ]


OPEN_AND_INSERT = """
import asyncio, sys
from durable_execution.storage import open_storage
from durable_execution.testing.records import RecordBuilder
from tests.servers.mariadb_fixtures import MariaDb

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


async def test_step_that_mariadb_cut_short_is_taken_again(mariadb: MariaDb) -> None:
    """DDL ends transactions there: a crash may leave the column without the version."""
    storage = open_storage(url := mariadb.new_url())
    await storage.open()
    await storage.close()
    engine = create_engine(_sync(url))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE durable_execution_schema SET version = 2")
    engine.dispose()
    await storage.open()
    assert (await storage.schema_state()).is_current  # type: ignore[attr-defined]
    await storage.close()


async def test_renamed_tables_of_mariadb_take_the_steps(mariadb: MariaDb) -> None:
    url, tables = mariadb.new_url(), TaskExecutionTables(name="work")
    storage = open_storage(url, tables=tables)
    await storage.open()
    await storage.close()
    engine = create_engine(_sync(url))
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE work DROP COLUMN traceparent")
        connection.exec_driver_sql("UPDATE work_schema SET version = 2")
    columns = [each["name"] for each in inspect(engine).get_columns("work")]
    assert "traceparent" not in columns
    await storage.open()
    await storage.close()
    columns = [each["name"] for each in inspect(engine).get_columns("work")]
    engine.dispose()
    assert columns[-1] == "traceparent"
