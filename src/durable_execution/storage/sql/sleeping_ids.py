"""Whose sleeping id is taken, after an insert was refused for one."""

from __future__ import annotations

from collections.abc import Sequence

from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import DuplicateSleepingIdError
from durable_execution.storage.sql.driver import Driver, Transaction
from durable_execution.storage.sql.rows import Row
from durable_execution.storage.sql.statements import Statements


async def duplicate_among(
    records: Sequence[ExecutionRecord], driver: Driver, statements: Statements
) -> DuplicateSleepingIdError:
    """Find out which of these rows' sleeping ids is taken, after an insert said that one is."""
    statement = statements.taken_sleeping_ids
    wanted = [row.sleeping_unique_id for row in records if row.sleeping_unique_id is not None]
    values = statement.bind(sleeping_unique_ids=driver.dialect.texts(wanted))

    async def work(transaction: Transaction) -> list[Row]:
        return await transaction.fetch(statement, values)

    owners = {row[0]: row[1] for row in await driver.read(work, is_single=True)}
    for record in records:
        unique_id = record.sleeping_unique_id
        if unique_id is None:
            continue
        if owners.setdefault(unique_id, record.execution_id) != record.execution_id:
            return DuplicateSleepingIdError(unique_id)
    return DuplicateSleepingIdError(wanted[0])
