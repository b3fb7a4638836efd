"""Looking whether there is anything to claim, where a claim is several statements.

A claim that found nothing is followed by looks of one statement, without a transaction, until one
finds something: so an idle executor costs its database next to nothing.
"""

from __future__ import annotations

from durable_execution.storage.protocol import Claim, Claimed
from durable_execution.storage.sql.driver import Driver, Statement, Transaction
from durable_execution.storage.sql.rows import Row


class Peeking:
    """Remembers whether the last claim found anything.

    Args:
        driver: The way to the database.
        statement: Returns at most one row: the earliest start of what is ready, which may be past,
            and the time; None for a database whose claim is one statement.
    """

    def __init__(self, driver: Driver, statement: Statement | None) -> None:
        self._driver = driver
        self._statement = statement
        self._found_nothing = False

    async def look(self, claim: Claim) -> Claimed | None:
        """Return an empty answer if nothing is due, and None if it is time to claim."""
        statement = self._statement
        if statement is None or not self._found_nothing:
            return None
        values = statement.bind(
            executor_id=claim.executor_id,
            task_ids=self._driver.dialect.texts(sorted(claim.task_ids)),
            now=self._driver.clock(),
        )

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, values)

        rows = await self._driver.read(work, is_single=True)
        if not rows:
            return Claimed(records=())
        starts_at, seen_at = (int(str(value)) for value in rows[0])
        return Claimed(records=(), next_start_at=starts_at) if starts_at > seen_at else None

    def note(self, claimed: Claimed) -> None:
        """Take note of what a claim found."""
        self._found_nothing = not claimed.records
