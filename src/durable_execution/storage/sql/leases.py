"""Who holds a lease, and what is left of those who do not any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.protocol import Beat, ListedExecutor, Pulse
from durable_execution.storage.sql.driver import Driver, Statement, Transaction
from durable_execution.storage.sql.rows import Row, Value, to_executor, to_instant, to_record
from durable_execution.storage.sql.statements import Statements

_SIGNED_OFF: Final = 0


class Leases:
    """The verbs of a storage that keep leases, or look at them."""

    def __init__(self, driver: Driver, statements: Statements) -> None:
        self._driver = driver
        self._dialect = driver.dialect
        self._statements = statements

    async def heartbeat(self, beat: Beat) -> Pulse:
        """Extend a lease, and tell what was lost meanwhile."""
        statements = self._statements
        held_ids = self._dialect.texts([execution_id for execution_id, _ in beat.held])

        async def work(transaction: Transaction) -> tuple[list[Row], list[Row]]:
            values: dict[str, Value] = {
                "who": beat.executor_id,
                "now": self._driver.clock(),
                "lease_ms": beat.lease_ms,
                "held_count": len(beat.held),
                "ended_count": beat.ended,
                "execution_ids": held_ids,
            }

            async def ask(statement: Statement) -> list[Row]:
                return await transaction.fetch(statement, statement.bind(**values))

            # One look tells both what this executor's lease was, and whose are over.
            seen = await ask(statements.leases_seen)
            is_listed = any(row[0] == beat.executor_id for row in seen)
            write = statements.extend_lease if is_listed else statements.register
            await transaction.execute(write, write.bind(**values))
            if beat.task_ids is not None:
                tell = statements.tell_tasks
                text = msgspec.json.encode(sorted(beat.task_ids)).decode()
                await transaction.execute(tell, tell.bind(who=beat.executor_id, task_ids=text))
            return seen, await ask(statements.still_held) if beat.held else []

        # Of an executor with nothing to do: what is written does not hang on what was seen.
        is_idle = not beat.held and beat.task_ids is None
        seen, held = await self._driver.write(work, is_single=is_idle)
        leases = {row[0]: row[1] for row in seen}
        lease = leases.pop(beat.executor_id, _SIGNED_OFF)
        still_held = set(held)
        # The look told the time as well, unless there was nobody to see.
        seen_at = to_instant(seen[0][2]) if seen else None
        return Pulse(
            now=await self._driver.now() if seen_at is None else seen_at,
            was_known=lease != _SIGNED_OFF,
            found_dead=bool(leases),
            lost=tuple(row[0] for row in beat.held if row not in still_held),
        )

    async def known_task_ids(self) -> frozenset[str]:
        """Return what live executors have told to be run by them."""
        statement = self._statements.known_tasks

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, statement.bind(now=self._driver.clock()))

        rows = await self._driver.read(work, is_single=True)
        told = [msgspec.json.decode(str(row[0]), type=list[str]) for row in rows]
        return frozenset().union(*told)

    async def executors(self, limit: int) -> list[ListedExecutor]:
        """Return executors by their ids, if there are too many those whose lease ends last."""
        if limit < 1:
            return []
        statement = self._statements.executors

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, statement.bind(limit=limit))

        rows = await self._driver.scan(work)
        return sorted(map(to_executor, rows), key=lambda each: each.executor_id)

    async def sign_off(self, executor_id: str) -> None:
        """End a lease."""
        # Marked rather than deleted: `orphans` looks for rows of executors that are listed.
        statement = self._statements.sign_off

        async def work(transaction: Transaction) -> None:
            await transaction.execute(statement, statement.bind(who=executor_id))

        await self._driver.write(work, is_single=True)

    async def orphans(self, limit: int) -> list[ExecutionRecord]:
        """Return rows of executors whose lease is over; forget those that hold none."""
        now = self._driver.clock()
        statements = self._statements

        async def work(transaction: Transaction) -> tuple[list[Row], list[Row]]:
            dead = await transaction.fetch(
                statements.dead_executors, statements.dead_executors.bind(now=now)
            )
            if not dead or limit < 1:
                return [], []
            dead_ids = self._dialect.texts([str(row[0]) for row in dead])
            values = statements.held_by.bind(executor_ids=dead_ids, limit=limit)
            return dead, await transaction.fetch(statements.held_by, values)

        dead, rows = await self._driver.read(work)
        records = [to_record(row) for row in rows]
        if len(records) < limit:
            owners = {record.executor_id for record in records}
            await self._forget([row for row in dead if row[0] not in owners])
        return records

    async def _forget(self, executors: Sequence[Row]) -> None:
        if not executors:
            return
        forget = self._statements.forget_executor
        # Only with the lease that was seen: an executor that revived meanwhile stays.
        rows = [forget.bind(who=executor_id, lease=lease) for executor_id, lease in executors]

        lock = self._statements.lock_executors
        ids = self._dialect.texts([str(executor_id) for executor_id, _ in executors])

        async def work(transaction: Transaction) -> None:
            if lock is not None:
                await transaction.execute(lock, lock.bind(executor_ids=ids))
            await transaction.execute_many(forget, rows)

        await self._driver.write(work)
