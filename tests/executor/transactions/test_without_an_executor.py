"""Enqueueing by a plain function, which needs no executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from durable_execution import DurableExecutor, IdempotencyConflictError, enqueue_in_transaction
from tests.executor.transactions.databases import (
    ship,
    tables_of,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine


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
    assert await handle.result(timeout=30) == 700


@pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True)
async def test_the_database_decides_when_a_task_is_due(
    url: str, executor: DurableExecutor, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable_execution.enqueueing.wall_clock", lambda: 4_000_000_000_000)
    with engine.begin() as connection:
        execution_id = enqueue_in_transaction(connection, ship, 7, tables=tables_of(url))
    handle = await executor.get_task_execution_handle(ship, execution_id)
    assert await handle.result(timeout=30) == 700
