"""Enqueued inside a transaction: committed, rolled back, or left by a crash."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from durable_execution import (
    DurableExecutionNotFoundError,
    DurableExecutor,
    IdempotencyConflictError,
    InvalidOptionError,
    enqueue_in_transaction,
    task_to_enqueue,
)
from tests.executor.transactions.databases import (
    KINDS,
    bell,
    dialed,
    lent,
    lent_async,
    ship,
    tables_of,
)


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
    assert await handle.result(timeout=30) == 700


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
    assert await again.result(timeout=30) == 800


@KINDS
async def test_many_are_committed_or_rolled_back_together(
    executor: DurableExecutor, engine: Engine, kind: str
) -> None:
    wanted = [task_to_enqueue(ship, number, key=str(number)) for number in range(5)]
    with lent(kind, engine) as connection:
        dropped = await executor.enqueue_tasks(wanted, connection=connection)
        connection.rollback()
    with lent(kind, engine) as connection:
        handles = await executor.enqueue_tasks([*wanted, wanted[2]], connection=connection)
        with pytest.raises(DurableExecutionNotFoundError):
            await handles[0].get_execution()
        connection.commit()
    assert handles[5].execution_id == handles[2].execution_id
    for handle, shipped in zip(handles, (0, 100, 200, 300, 400, 200), strict=True):
        assert await handle.result(timeout=30) == shipped
    with pytest.raises(DurableExecutionNotFoundError):
        await dropped[0].get_execution()
    with lent(kind, engine) as connection:
        other = [task_to_enqueue(ship, 9), task_to_enqueue(ship, 9, key="2")]
        with pytest.raises(IdempotencyConflictError):
            await executor.enqueue_tasks(other, connection=connection)
        connection.rollback()
    counts = await executor.count_task_executions()
    assert counts[ship.id].by_status == {"completed": 5}


async def test_savepoint_takes_back_its_part_alone(
    executor: DurableExecutor, engine: Engine
) -> None:
    with Session(engine) as session, session.begin():
        kept = await executor.enqueue_task(ship, 1, connection=session)
        with session.begin_nested() as savepoint:
            dropped = await executor.enqueue_task(ship, 2, connection=session)
            savepoint.rollback()
    assert await kept.result(timeout=30) == 100
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
    assert await handle.result(timeout=30) == "ding"


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
        assert await handle.result(timeout=30) == 200
        with pytest.raises(InvalidOptionError, match="must be a Connection or a Session"):
            enqueue_in_transaction(connection, ship, 7)  # type: ignore[call-overload]
    with pytest.raises(DurableExecutionNotFoundError):
        await dropped.get_execution()


CRASH = """
import os, sys
from sqlalchemy import create_engine, text
from durable_execution import TaskContext, Tasks, enqueue_in_transaction
from durable_execution.storage import TaskExecutionTables

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
            dialed(url),
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
        assert await handle.result(timeout=30) == 700
