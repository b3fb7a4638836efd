"""Keys and sleeping ids that are taken, inside a transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import Engine, text

from durable_execution import (
    DuplicateSleepingIdError,
    DurableExecutor,
    IdempotencyConflictError,
    enqueue_in_transaction,
)
from tests.executor.transactions.databases import (
    bell,
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
        assert waiting.result(timeout=5) == winner
