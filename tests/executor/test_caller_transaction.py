"""Enqueueing inside a transaction of the caller's, on every way that SQLAlchemy has to one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from durable_execution import (
    DuplicateSleepingIdError,
    DurableExecutionNotFoundError,
    DurableExecutor,
    IdempotencyConflictError,
    InMemoryStorage,
    InvalidInputError,
    InvalidOptionError,
    StorageError,
    TaskContext,
    Tasks,
    enqueue_in_transaction,
    open_storage,
)
from durable_execution.storage.table_names import TaskExecutionTables
from tests.conftest import OPTIONS

tasks = Tasks()


@tasks.task
async def ship(ctx: TaskContext, order: int) -> int:
    return order * 100


bell = tasks.sleeping_task("bell", timeout=60, output=str)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/t.db"
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    url: str = request.getfixturevalue("postgres").new_url()
    return url


@pytest.fixture
async def executor(url: str) -> AsyncIterator[DurableExecutor]:
    executor = DurableExecutor(open_storage(url), OPTIONS)
    executor.include(tasks)
    async with executor:
        yield executor


@pytest.fixture
def engine(url: str, executor: DurableExecutor) -> Iterator[Engine]:
    """The application's own engine, and a table of its own; made after the executor's tables."""
    engine = create_engine(dialed(url, "psycopg"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (number INTEGER)"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE orders"))
    engine.dispose()


def dialed(url: str, driver: str) -> str:
    """The same database for SQLAlchemy's own drivers, which know no `schema` option."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return url if driver == "psycopg" else url.replace("sqlite:", "sqlite+aiosqlite:")
    plain = parsed.set(drivername=f"postgresql+{driver}", query={})
    return plain.render_as_string(hide_password=False)


def tables_of(url: str) -> TaskExecutionTables:
    schema = make_url(url).query.get("schema")
    return TaskExecutionTables(schema=str(schema) if schema else None)


@contextmanager
def lent(kind: str, engine: Engine) -> Iterator[Any]:
    if kind == "connection":
        with engine.connect() as connection:
            yield connection
        return
    factory = sessionmaker(engine)
    session = factory() if kind == "session" else scoped_session(factory)
    yield session
    session.close()


KINDS = pytest.mark.parametrize("kind", ["connection", "session", "scoped session"])


@KINDS
async def test_what_is_committed_runs_at_once(
    executor: DurableExecutor, engine: Engine, kind: str
) -> None:
    with lent(kind, engine) as connection:
        connection.execute(text("INSERT INTO orders VALUES (7)"))
        handle = await executor.enqueue_task(ship, 7, connection=connection)
        with pytest.raises(DurableExecutionNotFoundError):
            await handle.get_execution()
        connection.commit()
    # Nothing is polled here: it was heard.
    assert await handle.result(timeout=5) == 700


@KINDS
async def test_what_is_rolled_back_never_was(
    executor: DurableExecutor, engine: Engine, kind: str
) -> None:
    with lent(kind, engine) as connection:
        handle = await executor.enqueue_task(
            ship, 7, key="order-7", tags={"shop": "a"}, connection=connection
        )
        connection.rollback()
    with pytest.raises(DurableExecutionNotFoundError):
        await handle.get_execution()
    # The key is free.
    again = await executor.enqueue_task(ship, 8, key="order-7")
    assert again.execution_id != handle.execution_id
    assert await again.result(timeout=5) == 800


async def test_savepoint_takes_back_its_part_alone(
    executor: DurableExecutor, engine: Engine
) -> None:
    with Session(engine) as session, session.begin():
        kept = await executor.enqueue_task(ship, 1, connection=session)
        with session.begin_nested() as savepoint:
            dropped = await executor.enqueue_task(ship, 2, connection=session)
            savepoint.rollback()
    assert await kept.result(timeout=5) == 100
    with pytest.raises(DurableExecutionNotFoundError):
        await dropped.get_execution()


async def test_options_tags_and_key_are_those_of_any_enqueue(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.begin() as connection:
        handle = await executor.enqueue_task(
            ship,
            7,
            timeout=3,
            sleep_before_run=600,
            key="order-7",
            tags={"shop": "a", "customer": ""},
            connection=connection,
        )
    view = await handle.get_execution()
    assert (view.timeout, view.sleep_before_run, view.idempotency_key) == (3, 600, "order-7")
    page = await executor.search_task_executions(tags={"shop": "a", "customer": ""})
    assert [found.execution_id for found in page.executions] == [handle.execution_id]


async def test_sleeping_task_sleeps_and_is_woken(executor: DurableExecutor, engine: Engine) -> None:
    with engine.begin() as connection:
        handle = await executor.enqueue_task(bell, "door", connection=connection)
    await executor.wakeup_sleeping_task_execution(bell, "door", output="ding")
    assert await handle.result(timeout=5) == "ding"


async def test_key_that_is_taken_gives_its_execution_and_the_transaction_goes_on(
    executor: DurableExecutor, engine: Engine
) -> None:
    first = await executor.enqueue_task(ship, 7, key="order-7")
    with engine.begin() as connection:
        same = await executor.enqueue_task(ship, 7, key="order-7", connection=connection)
        with pytest.raises(IdempotencyConflictError) as raised:
            await executor.enqueue_task(ship, 8, key="order-7", connection=connection)
        any_input = await executor.enqueue_task(
            ship, 8, key="order-7", on_conflict="return", connection=connection
        )
        connection.execute(text("INSERT INTO orders VALUES (7)"))
    assert raised.value.execution_id == first.execution_id
    assert {same.execution_id, any_input.execution_id} == {first.execution_id}
    assert await same.result(timeout=5) == 700
    with engine.connect() as connection:
        assert connection.execute(text("SELECT number FROM orders")).scalars().all() == [7]


async def test_key_that_this_transaction_used_is_taken(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.begin() as connection:
        first = await executor.enqueue_task(ship, 7, key="order-7", connection=connection)
        again = await executor.enqueue_task(ship, 7, key="order-7", connection=connection)
    assert again.execution_id == first.execution_id
    assert await again.result(timeout=5) == 700


async def test_sleeping_id_that_is_taken_is_told_and_the_transaction_goes_on(
    executor: DurableExecutor, engine: Engine
) -> None:
    await executor.enqueue_task(bell, "door")
    with engine.begin() as connection:
        with pytest.raises(DuplicateSleepingIdError, match="door"):
            await executor.enqueue_task(bell, "door", connection=connection)
        other = await executor.enqueue_task(ship, 1, connection=connection)
    assert await other.result(timeout=5) == 100


async def test_input_is_checked_before_anything_is_written(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.connect() as connection:
        with pytest.raises(InvalidInputError, match="input"):
            await executor.enqueue_task(ship, "seven", connection=connection)  # type: ignore[call-overload]
        assert not connection.in_transaction()


def test_without_an_executor(url: str, executor: DurableExecutor, engine: Engine) -> None:
    tables = tables_of(url)
    with Session(engine) as session, session.begin():
        first = enqueue_in_transaction(session, ship, 7, key="a", tags={"b": "c"}, tables=tables)
        assert enqueue_in_transaction(session, ship, 7, key="a", tables=tables) == first
        with pytest.raises(IdempotencyConflictError):
            enqueue_in_transaction(session, ship, 8, key="a", tables=tables)
    assert first.startswith("te_")


async def test_what_was_enqueued_without_an_executor_runs_at_once(
    url: str, executor: DurableExecutor, engine: Engine
) -> None:
    with engine.begin() as connection:
        execution_id = enqueue_in_transaction(connection, ship, 7, tables=tables_of(url))
    handle = await executor.get_task_execution_handle(ship, execution_id)
    assert await handle.result(timeout=5) == 700


async def test_refusals_say_what_is_accepted(
    executor: DurableExecutor, engine: Engine, tmp_path: Path
) -> None:
    for wrong in (engine, "connection", sessionmaker(engine)):
        with pytest.raises(InvalidOptionError, match="must be a Connection, a Session, an Async"):
            await executor.enqueue_task(ship, 7, connection=wrong)  # type: ignore[call-overload]
        with pytest.raises(InvalidOptionError, match="must be a Connection or a Session"):
            enqueue_in_transaction(wrong, ship, 7)  # type: ignore[call-overload]
    with engine.connect() as connection:
        with pytest.raises(InvalidOptionError, match="task must be one that"):
            enqueue_in_transaction(connection, "ship", 7)  # type: ignore[call-overload]
        eager = connection.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(InvalidOptionError, match="AUTOCOMMIT"):
            await executor.enqueue_task(ship, 7, connection=eager)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_connection_to_another_kind_of_database_is_refused(
    executor: DurableExecutor, tmp_path: Path
) -> None:
    other = create_engine(f"sqlite:///{tmp_path}/other.db")
    refusal = pytest.raises(InvalidOptionError, match="to postgresql, where this storage is, got")
    with other.connect() as connection, refusal:
        await executor.enqueue_task(ship, 7, connection=connection)
    other.dispose()


async def test_database_without_our_tables_is_told_so(url: str, tmp_path: Path) -> None:
    bare = f"sqlite:///{tmp_path}/bare.db" if url.startswith("sqlite") else url
    elsewhere = TaskExecutionTables(name="elsewhere", schema=None)
    engine = create_engine(dialed(bare, "psycopg"))
    with engine.connect() as connection, pytest.raises(StorageError, match="no table elsewhere"):
        enqueue_in_transaction(connection, ship, 7, tables=elsewhere)
    engine.dispose()


async def test_storage_in_memory_joins_no_transaction(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    executor = DurableExecutor(InMemoryStorage())
    executor.include(tasks)
    with engine.connect() as connection:
        async with executor:
            with pytest.raises(InvalidOptionError, match="keeps them in InMemoryStorage"):
                await executor.enqueue_task(ship, 7, connection=connection)
    engine.dispose()


CRASH = """
import os, sys
from sqlalchemy import create_engine, text
from durable_execution import TaskContext, Tasks, enqueue_in_transaction
from durable_execution.storage.table_names import TaskExecutionTables

url, schema, moment = sys.argv[1:]
tasks = Tasks()

@tasks.task
async def ship(ctx: TaskContext, order: int) -> int:
    return order

connection = create_engine(url).connect()
connection.execute(text("INSERT INTO orders VALUES (7)"))
tables = TaskExecutionTables(schema=schema or None)
print(enqueue_in_transaction(connection, ship, 7, tables=tables), flush=True)
if moment == "after the commit":
    connection.commit()
os._exit(9)
"""


@pytest.mark.processes
@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_crash_leaves_both_or_neither(
    url: str, executor: DurableExecutor, engine: Engine, moment: str
) -> None:
    died = subprocess.run(
        [
            sys.executable,
            "-c",
            CRASH,
            dialed(url, "psycopg"),
            tables_of(url).schema or "",
            moment,
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert died.returncode == 9, died.stderr
    execution_id = died.stdout.strip()
    with engine.connect() as connection:
        orders = connection.execute(text("SELECT number FROM orders")).scalars().all()
    if moment == "before the commit":
        assert orders == []
        with pytest.raises(DurableExecutionNotFoundError):
            await executor.get_task_execution_handle(ship, execution_id)
    else:
        assert orders == [7]
        handle = await executor.get_task_execution_handle(ship, execution_id)
        assert await handle.result(timeout=5) == 700


@asynccontextmanager
async def lent_async(kind: str, url: str) -> AsyncIterator[Any]:
    pytest.importorskip("greenlet", reason="greenlet is not installed")
    if url.startswith("sqlite"):
        pytest.importorskip("aiosqlite", reason="aiosqlite is not installed")
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, create_async_engine
    from sqlalchemy.ext.asyncio import async_sessionmaker as sessions

    engine = create_async_engine(dialed(url, "asyncpg"))
    if kind == "connection":
        async with engine.connect() as connection:
            yield connection
    elif kind == "session":
        async with AsyncSession(engine) as session:
            yield session
    else:
        scoped = async_scoped_session(sessions(engine), scopefunc=lambda: 1)
        yield scoped
        await scoped.close()
    await engine.dispose()


@KINDS
async def test_asynchronous_transaction(
    url: str, executor: DurableExecutor, engine: Engine, kind: str
) -> None:
    async with lent_async(kind, url) as connection:
        dropped = await executor.enqueue_task(ship, 1, key="k", connection=connection)
        await connection.rollback()
        handle = await executor.enqueue_task(
            ship, 2, key="k", tags={"a": "b"}, connection=connection
        )
        again = await executor.enqueue_task(ship, 2, key="k", connection=connection)
        with pytest.raises(IdempotencyConflictError):
            await executor.enqueue_task(ship, 3, key="k", connection=connection)
        await connection.commit()
        assert again.execution_id == handle.execution_id
        assert await handle.result(timeout=5) == 200
        with pytest.raises(InvalidOptionError, match="must be a Connection or a Session"):
            enqueue_in_transaction(connection, ship, 7)  # type: ignore[call-overload]
    with pytest.raises(DurableExecutionNotFoundError):
        await dropped.get_execution()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_the_database_decides_when_a_task_is_due(
    url: str, executor: DurableExecutor, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable_execution.enqueueing.wall_clock", lambda: 4_000_000_000_000)
    with engine.begin() as connection:
        execution_id = enqueue_in_transaction(connection, ship, 7, tables=tables_of(url))
    handle = await executor.get_task_execution_handle(ship, execution_id)
    assert await handle.result(timeout=5) == 700


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_two_transactions_with_one_key_are_one_execution(
    url: str, executor: DurableExecutor, engine: Engine
) -> None:
    tables = tables_of(url)
    with engine.connect() as first, engine.connect() as second, ThreadPoolExecutor(1) as thread:
        winner = enqueue_in_transaction(first, ship, 7, key="k", tables=tables)
        # Waits for the transaction that has the key.
        waiting = thread.submit(enqueue_in_transaction, second, ship, 7, key="k", tables=tables)
        assert not wait([waiting], timeout=0.2).done
        first.commit()
        assert waiting.result(timeout=5) == winner
