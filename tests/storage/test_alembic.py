"""The tables as part of an application's own migrations, made by the real Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, make_url, text

from durable_execution import DurableExecutor, StorageError
from durable_execution.storage import (
    TaskExecutionTables,
    create_task_executions_table,
    open_storage,
    trigger_statements,
)
from tests.conftest import OPTIONS
from tests.storage.lives import live_a_life

NAMES = ("durable_task_executions", "jobs")
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}


class Application(NamedTuple):
    """A database, and what its application says that there should be in it."""

    url: str
    engine: Engine
    metadata: MetaData
    tables: TaskExecutionTables


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/t.db"
    servers = {"postgresql": "postgres", "mariadb": "mariadb"}
    url: str = request.getfixturevalue(servers[request.param]).new_url()
    return url


@pytest.fixture(params=NAMES)
def application(url: str, request: pytest.FixtureRequest) -> Iterator[Application]:
    parsed = make_url(url)
    schema = parsed.query.get("schema")
    engine = create_engine(parsed.set(drivername=DRIVERS[parsed.drivername], query={}))
    metadata = MetaData(schema=str(schema) if schema else None)
    Table("orders", metadata, Column("number", Integer, primary_key=True))
    dialect: Any = "mysql" if parsed.drivername == "mariadb" else parsed.drivername
    tables = create_task_executions_table(metadata, dialect=dialect, name=request.param)
    with engine.begin() as connection:
        if schema:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield Application(url, engine, metadata, tables)
    engine.dispose()


def differences(application: Application) -> list[Any]:
    with application.engine.connect() as connection:
        found: list[Any] = compare_metadata(_context(connection, application), application.metadata)
        return found


def migrate(application: Application) -> None:
    """Do what a generated migration does."""
    with application.engine.begin() as connection:
        context = _context(connection, application)
        script = produce_migrations(context, application.metadata)
        assert script.upgrade_ops is not None
        operations = Operations(context)
        for operation in script.upgrade_ops.ops:
            # The changes of one table come as a bundle.
            for each in getattr(operation, "ops", [operation]):
                operations.invoke(each)


def _context(connection: Any, application: Application) -> MigrationContext:
    schema = application.metadata.schema

    def is_ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "schema" or name == schema

    options = {"include_schemas": schema is not None, "include_name": is_ours}
    return MigrationContext.configure(connection, opts=options)


async def test_generated_migration_makes_what_the_storage_needs(application: Application) -> None:
    migrate(application)
    if application.url.startswith("postgresql"):
        with application.engine.begin() as connection:
            for statement in trigger_statements(application.tables):
                connection.execute(text(statement))
    assert differences(application) == []
    plain = application.url.partition("?")[0]
    storage = open_storage(plain, tables=application.tables, migrate=False)
    await live_a_life(DurableExecutor(storage, OPTIONS))
    assert differences(application) == []


async def test_column_of_a_later_release_is_generated(application: Application) -> None:
    migrate(application)
    schema = f"{application.tables.schema}." if application.tables.schema else ""
    executors = schema + application.tables.named("durable_executors")
    with application.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {executors} DROP COLUMN task_ids"))
    plain = application.url.partition("?")[0]
    storage = open_storage(plain, tables=application.tables, migrate=False)
    with pytest.raises(StorageError, match="task_ids"):
        await storage.open()
    migrate(application)
    assert differences(application) == []
    await storage.open()
    await storage.close()
