"""Claiming rows inside one transaction: in one statement, or locked first and then updated."""

from __future__ import annotations

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.transitions import claimed
from durable_execution.storage.protocol import Claim, Claimed
from durable_execution.storage.sql.driver import SqlDialect, Statement, Transaction
from durable_execution.storage.sql.rows import Row, Value, to_record
from durable_execution.storage.sql.statements import Statements


class Claiming:
    """The statements of one claim."""

    def __init__(self, statements: Statements, dialect: SqlDialect, claim: Claim) -> None:
        self._statements = statements
        self._dialect = dialect
        self._claim = claim
        self._task_ids = dialect.texts(sorted(claim.task_ids))

    async def run(self, transaction: Transaction, *, now: int) -> Claimed:
        """Claim rows and find out when to ask again, as `Storage.claim` says.

        `now` is the caller's clock, for dialects that use it.
        """
        values: dict[str, Value] = {
            "executor_id": self._claim.executor_id,
            "task_ids": self._task_ids,
            "limit": self._claim.limit,
            "now": now,
        }

        async def ask(statement: Statement) -> list[Row]:
            return await transaction.fetch(statement, statement.bind(**values))

        statements = self._statements
        if statements.hold_lease is not None and statements.claim_locked is not None:
            return await self._run_locked(
                transaction, statements.hold_lease, statements.claim_locked, values
            )
        rows = await ask(statements.claim)
        if self._dialect.does_claim_look_ahead:
            records = [to_record(row[:-1]) for row in rows if row[0] is not None]
            return self._answer(records, rows[0][-1])
        records = list(map(to_record, rows))
        if len(records) == self._claim.limit:
            return self._answer(records, None)
        return self._answer(records, (await ask(statements.next_start_at))[0][0])

    async def _run_locked(
        self,
        transaction: Transaction,
        lease: Statement,
        update: Statement,
        values: dict[str, Value],
    ) -> Claimed:
        """Lock the lease and rows, then update these and look ahead: two trips."""
        claim, ahead = self._statements.claim, self._statements.next_start_at
        asked = [(lease, lease.bind(**values)), (claim, claim.bind(**values))]
        leases, rows = await transaction.fetch_each(asked)
        if not leases:
            return Claimed(records=())
        asked = []
        if rows:
            ids = self._dialect.texts([str(row[0]) for row in rows])
            values |= {"claimed_at": rows[0][-1], "execution_ids": ids}
            asked.append((update, update.bind(**values)))
        is_full = len(rows) == self._claim.limit
        if not is_full:
            asked.append((ahead, ahead.bind(**values)))
        *_, last = await transaction.fetch_each(asked, ends=True)
        return self._answer(list(map(self._claimed, rows)), None if is_full else last[0][0])

    def _claimed(self, row: Row) -> ExecutionRecord:
        """Return a row that was locked as the update has left it."""
        *fields, now = row
        record = to_record(tuple(fields))
        return claimed(record, executor_id=self._claim.executor_id, now=int(str(now)))

    def _answer(self, records: list[ExecutionRecord], next_start_at: Value) -> Claimed:
        is_known = isinstance(next_start_at, int) and len(records) < self._claim.limit
        return Claimed(
            records=tuple(sorted(records, key=lambda record: record.start_at)),
            next_start_at=int(str(next_start_at)) if is_known else None,
        )
