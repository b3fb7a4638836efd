"""Tables that the user names, and that the user's own migrations make."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import MetaData, create_engine, create_mock_engine, make_url

from durable_execution import (
    DurableExecutor,
    InvalidOptionError,
    TaskContext,
    enqueue_in_transaction,
)
from durable_execution.storage import (
    TaskExecutionTables,
    create_task_executions_table,
    open_storage,
    trigger_statements,
)
from durable_execution.storage.sql.driver import SqlDialect
from durable_execution.storage.sql.migrations import schema_ddl
from durable_execution.storage.sql.mysql import MySqlDialect
from durable_execution.storage.sql.postgres import PostgresDialect
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.statements import build_statements
from tests.conftest import OPTIONS
from tests.storage.lives import live_a_life

JOBS = TaskExecutionTables(name="order")  # a word that SQL keeps for itself

IDLE = dataclasses.replace(OPTIONS, max_concurrent_task_executions=0)


async def make_on_postgres(metadata: MetaData, url: str) -> None:
    """Run what `metadata.create_all` would, over a driver that the tests have."""
    statements: list[str] = []

    def keep(element: Any, *_: object) -> None:
        statements.append(str(element.compile(dialect=engine.dialect)))

    engine = create_mock_engine("postgresql+asyncpg://", keep)
    metadata.create_all(engine, checkfirst=False)
    connection = await asyncpg.connect(make_url(url).set(query={}).render_as_string())
    try:
        await connection.execute(f"CREATE SCHEMA {make_url(url).query['schema']}")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "dialect", [SqliteDialect(JOBS), PostgresDialect(tables=JOBS), MySqlDialect(tables=JOBS)]
)
def test_every_name_in_every_statement_follows(dialect: SqlDialect) -> None:
    built = build_statements(dialect)
    statements = [getattr(built, field.name) for field in dataclasses.fields(built)]
    texts = [each.text for each in statements if each is not None] + schema_ddl(dialect)
    # What a trigger sends bears the number of the table, and begins the same for all.
    assert [text for text in texts if re.search(r"\bdurable_(?!execution_')", text)] == []
    assert any('"order"' in text for text in texts)


async def test_storage_makes_tables_of_that_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    await live_a_life(DurableExecutor(open_storage(url, tables=JOBS), OPTIONS))


async def test_storage_makes_tables_of_that_name_on_postgres(postgres: Any) -> None:
    url = postgres.new_url()
    await live_a_life(DurableExecutor(open_storage(url, tables=JOBS), OPTIONS))
    # Beside those of the usual name, in the same schema.
    await live_a_life(DurableExecutor(open_storage(url), OPTIONS))


async def test_storages_of_that_name_hear_one_another(postgres: Any) -> None:
    url = postgres.new_url()
    worker, caller = (
        DurableExecutor(open_storage(url, tables=JOBS), each) for each in (OPTIONS, IDLE)
    )

    async def double(ctx: TaskContext, number: int) -> int:
        return 2 * number

    worker.task(id="double")(double)
    task = caller.task(id="double")(double)
    async with worker, caller:
        # Neither polls in time.
        handle = await caller.enqueue_task(task, 4)
        assert await handle.result(timeout=30) == 8


@pytest.mark.parametrize("name", ["order", "durable_task_executions"])
async def test_metadata_makes_what_the_storage_needs(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    metadata = MetaData()
    tables = create_task_executions_table(metadata, dialect="sqlite", name=name)
    engine = create_engine(url)
    metadata.create_all(engine)
    engine.dispose()
    storage = open_storage(url, tables=tables, migrate=False)
    await live_a_life(DurableExecutor(storage, OPTIONS))


@pytest.mark.parametrize("name", ["order", "durable_task_executions"])
async def test_metadata_makes_what_the_storage_needs_on_postgres(postgres: Any, name: str) -> None:
    url = postgres.new_url()
    metadata = MetaData(schema=str(make_url(url).query["schema"]))
    tables = create_task_executions_table(metadata, dialect="postgresql", name=name)
    assert tables == TaskExecutionTables(name=name, schema=metadata.schema)
    await make_on_postgres(metadata, url)
    plain = make_url(url).set(query={}).render_as_string()
    storage = open_storage(plain, tables=tables, migrate=False)
    await live_a_life(DurableExecutor(storage, OPTIONS))


async def test_metadata_makes_the_same_tables_as_the_storage(tmp_path: Path) -> None:
    made: dict[str, set[str]] = {}
    for way in ("storage", "metadata"):
        url = f"sqlite:///{tmp_path}/{way}.db"
        engine = create_engine(url)
        if way == "storage":
            storage = open_storage(url)
            await storage.open()
            await storage.close()
        else:
            metadata = MetaData()
            create_task_executions_table(metadata, dialect="sqlite")
            metadata.create_all(engine)
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql <> ''")
            made[way] = {re.sub(r"\s+", " ", str(sql)).strip() for (sql,) in rows}
        engine.dispose()
    only = made["storage"] - made["metadata"]
    assert [sql.split("(")[0] for sql in only] == ["CREATE TABLE durable_execution_schema "]
    assert made["metadata"] < made["storage"]


async def test_enqueue_in_a_transaction_finds_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    executor = DurableExecutor(open_storage(url, tables=JOBS), OPTIONS)

    @executor.task()
    async def double(ctx: TaskContext, number: int) -> int:
        return 2 * number

    engine = create_engine(url)
    async with executor:
        with engine.begin() as connection:
            execution_id = enqueue_in_transaction(connection, double, 4, tables=JOBS)
        with engine.begin() as connection:
            handle = await executor.enqueue_task(double, 5, connection=connection)
        first = await executor.get_task_execution_handle(double, execution_id)
        assert [await first.result(timeout=30), await handle.result(timeout=30)] == [8, 10]
    engine.dispose()


def test_trigger_statements_name_the_place() -> None:
    function, trigger = trigger_statements(TaskExecutionTables(name="order", schema="app"))
    assert 'CREATE OR REPLACE FUNCTION "app"."order_notify"()' in function
    assert 'CREATE TRIGGER "order_notify" AFTER INSERT' in trigger
    assert 'ON "app"."order" FOR EACH STATEMENT EXECUTE FUNCTION "app"."order_notify"()' in trigger


@pytest.mark.parametrize("name", ["", "Order", "a" * 41, "1st", "a-b", 'a"b', "a.b", "ä"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(InvalidOptionError, match="1 to 40 lower-case letters"):
        TaskExecutionTables(name=name)


@pytest.mark.parametrize("schema", ["", "a" * 64, "a;b", 'a"b'])
def test_schemas_that_are_none_are_refused(schema: str) -> None:
    with pytest.raises(InvalidOptionError, match="schema must be 1 to 63"):
        TaskExecutionTables(schema=schema)


def test_refusals() -> None:
    metadata = MetaData()
    create_task_executions_table(metadata, dialect="sqlite")
    with pytest.raises(InvalidOptionError, match="has a table 'durable_task_executions' already"):
        create_task_executions_table(metadata, dialect="sqlite")
    with pytest.raises(InvalidOptionError, match="must be one of mysql, postgresql, sqlite"):
        create_task_executions_table(MetaData(), dialect="oracle")  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionError, match="SQLite has no schemas"):
        create_task_executions_table(MetaData(schema="app"), dialect="sqlite")
    with pytest.raises(InvalidOptionError, match="on MySQL a schema is a database"):
        create_task_executions_table(MetaData(schema="app"), dialect="mysql")
    with pytest.raises(InvalidOptionError, match="SQLite has no schemas"):
        open_storage("sqlite://", tables=TaskExecutionTables(schema="app"))
    with pytest.raises(InvalidOptionError, match="names the schema 'a', the tables are in 'b'"):
        open_storage("postgresql://h/d?schema=a", tables=TaskExecutionTables(schema="b"))
