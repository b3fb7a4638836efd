"""What cannot be a part of a transaction, and is told so."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import sessionmaker

from durable_execution import (
    DurableExecutor,
    InMemoryStorage,
    InvalidInputError,
    InvalidOptionError,
    StorageError,
    enqueue_in_transaction,
)
from durable_execution.storage import TaskExecutionTables
from tests.executor.transactions.databases import (
    dialed,
    ship,
    tasks,
)


async def test_input_is_checked_before_anything_is_written(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.connect() as connection:
        with pytest.raises(InvalidInputError, match="input"):
            await executor.enqueue_task(ship, "seven", connection=connection)  # type: ignore[call-overload]
        assert not connection.in_transaction()


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
    engine = create_engine(dialed(bare))
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
