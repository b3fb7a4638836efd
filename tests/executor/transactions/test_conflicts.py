"""Keys and sleeping ids that are taken, inside a transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import Engine, create_engine, text

from durable_execution import (
    DuplicateSleepingIdError,
    DurableExecutor,
    IdempotencyConflictError,
    enqueue_in_transaction,
)
from tests.executor.transactions.databases import (
    bell,
    dialed,
    ship,
    tables_of,
)


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
    assert await same.result(timeout=30) == 700
    with engine.connect() as connection:
        assert connection.execute(text("SELECT number FROM orders")).scalars().all() == [7]


async def test_key_that_this_transaction_used_is_taken(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.begin() as connection:
        first = await executor.enqueue_task(ship, 7, key="order-7", connection=connection)
        again = await executor.enqueue_task(ship, 7, key="order-7", connection=connection)
    assert again.execution_id == first.execution_id
    assert await again.result(timeout=30) == 700


async def test_sleeping_id_that_is_taken_is_told_and_the_transaction_goes_on(
    executor: DurableExecutor, engine: Engine
) -> None:
    await executor.enqueue_task(bell, "door")
    with engine.begin() as connection:
        with pytest.raises(DuplicateSleepingIdError, match="door"):
            await executor.enqueue_task(bell, "door", connection=connection)
        other = await executor.enqueue_task(ship, 1, connection=connection)
    assert await other.result(timeout=30) == 100


@pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True)
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
        assert waiting.result(timeout=30) == winner


@pytest.mark.parametrize("url", ["mariadb", "mysql"], indirect=True)
async def test_key_that_was_taken_since_the_transaction_began_to_read_is_taken(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT * FROM orders"))  # from now on it sees what was there
        first = await executor.enqueue_task(ship, 7, key="k", sleep_before_run=60)
        await executor.enqueue_task(bell, "door")
        again = await executor.enqueue_task(ship, 7, key="k", connection=connection)
        with pytest.raises(IdempotencyConflictError):
            await executor.enqueue_task(ship, 8, key="k", connection=connection)
        with pytest.raises(DuplicateSleepingIdError, match="door"):
            await executor.enqueue_task(bell, "door", connection=connection)
    assert again.execution_id == first.execution_id


@pytest.mark.parametrize("url", ["mariadb"], indirect=True)
async def test_key_is_the_same_whatever_character_set_a_connection_has(
    url: str, executor: DurableExecutor, engine: Engine
) -> None:
    first = await executor.enqueue_task(ship, 7, key="Schlüssel", tags={"shop": "Käse"})
    latin = create_engine(f"{dialed(url)}?charset=latin1")
    with latin.begin() as connection:
        again = await executor.enqueue_task(ship, 7, key="Schlüssel", connection=connection)
        other = await executor.enqueue_task(
            ship, 8, key="Größe", tags={"shop": "Käse"}, connection=connection
        )
    latin.dispose()
    assert again.execution_id == first.execution_id
    assert await other.result(timeout=30) == 800
    page = await executor.search_task_executions(tags={"shop": "Käse"}, order="oldest_first")
    ids = [found.execution_id for found in page.executions]
    assert ids == [first.execution_id, other.execution_id]
    same = await executor.enqueue_task(ship, 8, key="Größe")
    assert same.execution_id == other.execution_id
