"""The storage over any SQL database: the contract's verbs as transactions of a few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from durable_execution._core.past import NO_PAST, Past
from durable_execution._core.patch import Transition
from durable_execution._core.progress import Report
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import Status
from durable_execution.errors import InvalidOptionError
from durable_execution.storage._felling import Felling
from durable_execution.storage.protocol import (
    Applied,
    Backlog,
    Beat,
    Claim,
    Claimed,
    Glance,
    ListedExecutor,
    Pulse,
    Reopened,
    Sleepers,
)
from durable_execution.storage.search import Page, Search
from durable_execution.storage.sql.batch import (
    apply_batch,
    are_completions,
    complete_batch,
    is_one_statement,
)
from durable_execution.storage.sql.caller import dialect_of, insert_over, run_with_any
from durable_execution.storage.sql.claiming import Claiming
from durable_execution.storage.sql.deletion import Deletion
from durable_execution.storage.sql.driver import (
    Driver,
    KeyConflictError,
    SleepingIdConflictError,
    StartRefusedError,
    Statement,
    T,
    Transaction,
    Work,
)
from durable_execution.storage.sql.finding import Finding
from durable_execution.storage.sql.insertion import insert_claimed, insert_roots
from durable_execution.storage.sql.leases import Leases
from durable_execution.storage.sql.migrations import migrate
from durable_execution.storage.sql.peeking import Peeking
from durable_execution.storage.sql.reopening import Reopener
from durable_execution.storage.sql.reporting import report_progress
from durable_execution.storage.sql.rows import (
    Row,
    Value,
    to_backlog,
    to_counts,
    to_glance,
    to_instant,
    to_past,
    to_record,
    without_payloads,
)
from durable_execution.storage.sql.schema_state import SchemaState, check_schema, state_of
from durable_execution.storage.sql.server_facts import ServerFacts, server_facts
from durable_execution.storage.sql.sleeping_ids import duplicate_among
from durable_execution.storage.sql.statements import build_statements

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from durable_execution.storage.sql.caller import CallerConnection

_FEW = 32
"""Rows that are looked up by their ids without a thought for how long it takes."""


class SqlStorage:
    """Executions in an SQL database. The contract is `Storage`'s.

    Construction does no I/O. Any event loop may use an open storage; a process that forks must
    open storages after the fork, in the child.

    Args:
        driver: The way to the database, see `open_storage` for the usual ones.
        migrates: Whether `open` creates the tables and brings them up to date, rather than to
            refuse what is not of this release.
    """

    def __init__(self, driver: Driver, *, migrates: bool = True) -> None:
        self._migrates = migrates
        self._driver = driver
        self._dialect = driver.dialect
        self._statements = build_statements(driver.dialect)
        self._peeking = Peeking(driver, self._statements.peek)
        self._leases = Leases(driver, self._statements)
        self._finding = Finding(driver)
        self._opening = asyncio.Lock()
        self._is_open = False

    async def open(self) -> None:  # noqa: D102
        async with self._opening:
            if self._is_open:
                return
            await self._driver.open()
            try:
                if not self._migrates:
                    await self._driver.read(self._check)
                elif not (await self._driver.read(self._state)).is_current:
                    await self._driver.write(self._migrate)
            except BaseException:
                await self._driver.close()
                raise
            self._is_open = True

    async def close(self) -> None:  # noqa: D102
        async with self._opening:
            if self._is_open:
                self._is_open = False
                await self._driver.close()

    def sibling(self) -> SqlStorage:  # noqa: D102
        return SqlStorage(self._driver.sibling(), migrates=self._migrates)

    async def schema_state(self) -> SchemaState:
        """Tell which schema the database has, and change nothing.

        Raises:
            StorageError: The database cannot be read.
        """
        async with self._opening:
            if self._is_open:
                return await self._driver.read(self._state)
            await self._driver.open()
            try:
                return await self._driver.read(self._state)
            finally:
                await self._driver.close()

    async def server_facts(self) -> ServerFacts:
        """Tell what the database is, and which of our indexes it lacks.

        Raises:
            StorageError: The database cannot be read.
        """

        async def work(transaction: Transaction) -> ServerFacts:
            return await server_facts(transaction, self._dialect)

        return await self._driver.scan(work)

    async def now(self) -> int:  # noqa: D102
        return await self._driver.now()

    @property
    def can_notify(self) -> bool:  # noqa: D102
        return self._driver.can_notify

    @property
    def is_deaf(self) -> bool:  # noqa: D102
        return self._driver.is_deaf

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:  # noqa: D102
        return self._driver.listen(on_change)

    async def insert(  # noqa: D102
        self, records: Sequence[ExecutionRecord], *, strict_ids: Collection[str] = ()
    ) -> list[ExecutionRecord | None]:
        if not records:
            return []

        async def work(transaction: Transaction) -> list[ExecutionRecord | None]:
            return await insert_roots(
                transaction, self._statements, self._dialect, records, strict_ids
            )

        is_single = all(row.idempotency_key is None and not row.tags for row in records)
        return await self._insert(work, is_single=is_single)

    async def insert_claimed(self, records: Sequence[ExecutionRecord]) -> bool:  # noqa: D102
        if not records:
            return True

        async def work(transaction: Transaction) -> None:
            # Read once the lock is held: a lease may have ended in the queue for it.
            now = self._driver.clock()
            await insert_claimed(transaction, self._statements, self._dialect, records, now=now)

        is_single = self._dialect.does_insert_look_for_lease and all(
            row.idempotency_key is None for row in records
        )
        try:
            await self._driver.write(work, is_single=is_single)
        except StartRefusedError:
            return False
        return True

    async def insert_with(  # noqa: D102
        self, connection: CallerConnection, record: ExecutionRecord
    ) -> ExecutionRecord | None:
        def work(lent: Connection) -> ExecutionRecord | None:
            found = dialect_of(lent)
            if found != self._dialect.name:
                raise InvalidOptionError(
                    f"connection must be one to {self._dialect.name}, where this storage is, "
                    f"got one to {found}"
                )
            return insert_over(lent, self._dialect.tables, record)

        return await run_with_any(connection, work)

    async def get(  # noqa: D102
        self, execution_ids: Sequence[str]
    ) -> list[ExecutionRecord | None]:
        if not execution_ids:
            return []
        statement = self._statements.get
        values = statement.bind(execution_ids=self._dialect.texts(execution_ids))

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, values)

        if len(execution_ids) <= _FEW:
            rows = await self._driver.look_up(work)
        else:
            rows = await self._driver.read(work, is_single=True)
        found = {record.execution_id: record for record in map(to_record, rows)}
        return [found.get(execution_id) for execution_id in execution_ids]

    async def glance(self, execution_ids: Sequence[str]) -> list[Glance | None]:  # noqa: D102
        if not execution_ids:
            return []
        statement = self._statements.glance
        values = statement.bind(execution_ids=self._dialect.texts(execution_ids))

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, values)

        rows = await self._driver.read(work, is_single=True)
        found = {row[0]: to_glance(row[1:]) for row in rows}
        return [found.get(execution_id) for execution_id in execution_ids]

    async def past_of(self, execution_ids: Sequence[str]) -> list[Past]:  # noqa: D102
        if not execution_ids:
            return []
        statement = self._statements.past_of
        values = statement.bind(execution_ids=self._dialect.texts(execution_ids))

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, values)

        rows = await self._driver.read(work, is_single=True)
        found = {row[0]: to_past(row[1:]) for row in rows}
        return [found.get(execution_id, NO_PAST) for execution_id in execution_ids]

    async def report_progress(self, reports: Sequence[Report]) -> list[bool]:  # noqa: D102
        if not reports:
            return []

        async def work(transaction: Transaction) -> list[bool]:
            return await report_progress(transaction, self._statements, self._dialect, reports)

        return await self._driver.write(work)

    async def get_by_sleeping_unique_id(  # noqa: D102
        self, sleeping_unique_id: str
    ) -> ExecutionRecord | None:
        statement = self._statements.get_by_sleeping_unique_id
        rows = await self._read(statement, statement.bind(sleeping_unique_id=sleeping_unique_id))
        return rows[0] if rows else None

    async def children_of(  # noqa: D102
        self, parent_execution_ids: Sequence[str], *, with_payloads: bool = True
    ) -> list[ExecutionRecord]:
        if not parent_execution_ids:
            return []
        parent_ids = self._dialect.texts(parent_execution_ids)
        if with_payloads:
            statement = self._statements.children_of
            rows = await self._read(statement, statement.bind(parent_execution_ids=parent_ids))
        else:
            statement = self._statements.children_without_payloads
            values = statement.bind(parent_execution_ids=parent_ids)
            rows = await self._read(statement, values, without_payloads)
        places = {parent_id: at for at, parent_id in enumerate(dict.fromkeys(parent_execution_ids))}
        # Databases may cut an odd id short, and find the children of another.
        asked = [row for row in rows if row.parent_execution_id in places]
        return sorted(asked, key=lambda row: places[row.parent_execution_id or ""])

    async def last_children_of(  # noqa: D102
        self, parent_execution_ids: Sequence[str]
    ) -> list[ExecutionRecord | None]:
        if not parent_execution_ids:
            return []
        statement = self._statements.last_children_of
        parent_ids = self._dialect.texts(parent_execution_ids)
        rows = await self._read(statement, statement.bind(parent_execution_ids=parent_ids))
        found = {row.parent_execution_id: row for row in rows}
        return [found.get(parent_id) for parent_id in parent_execution_ids]

    async def claim(self, claim: Claim) -> Claimed:  # noqa: D102
        if claim.limit < 1 or not claim.task_ids:
            return Claimed(records=())
        nothing = await self._peeking.look(claim)
        if nothing is not None:
            return nothing
        claiming = Claiming(self._statements, self._dialect, claim)

        async def work(transaction: Transaction) -> Claimed:
            # Read once the lock is held: a lease may have ended in the queue for it.
            return await claiming.run(transaction, now=self._driver.clock())

        # What is claimed is claimed whatever comes of the question for the next start.
        is_single = self._statements.claim_locked is None
        claimed = await self._driver.write(work, is_single=is_single)
        self._peeking.note(claimed)
        return claimed

    async def apply(self, transitions: Sequence[Transition]) -> Applied:  # noqa: D102
        if not transitions:
            return Applied(matched=())

        if are_completions(transitions):
            return await self._driver.write(
                lambda transaction: complete_batch(transaction, self._statements, transitions),
                is_single=True,
            )

        async def work(transaction: Transaction) -> Applied:
            return await apply_batch(
                transaction,
                self._statements,
                self._dialect,
                transitions,
                clock=self._driver.clock,
            )

        return await self._insert(work, is_single=is_one_statement(transitions))

    async def reopen(self, execution_id: str, now: int) -> Reopened:  # noqa: D102
        reopener = Reopener(self._statements, self._dialect)

        async def work(transaction: Transaction) -> Reopened:
            return await reopener.run(transaction, execution_id, now)

        return await self._driver.write(work)

    async def heartbeat(self, beat: Beat) -> Pulse:  # noqa: D102
        return await self._leases.heartbeat(beat)

    async def known_task_ids(self) -> frozenset[str]:  # noqa: D102
        return await self._leases.known_task_ids()

    async def executors(self, limit: int) -> list[ListedExecutor]:  # noqa: D102
        return await self._leases.executors(limit)

    async def backlog(self, limit: int, *, since: int, id_from: str) -> Backlog:  # noqa: D102
        statements = self._statements

        async def work(transaction: Transaction) -> Backlog:
            async def ask(statement: Statement) -> list[Row]:
                values = statement.bind(limit=limit, since=since, id_from=id_from)
                return await transaction.fetch(statement, values)

            return to_backlog(
                await ask(statements.backlog_ready),
                await ask(statements.backlog_failed),
                await ask(statements.backlog_sleeping),
                await ask(statements.backlog_created),
            )

        return await self._driver.scan(work)

    async def sign_off(self, executor_id: str) -> None:  # noqa: D102
        await self._leases.sign_off(executor_id)

    async def held_by(  # noqa: D102
        self, executor_id: str, limit: int
    ) -> list[ExecutionRecord]:
        if limit < 1:
            return []
        statement = self._statements.held_by
        executor_ids = self._dialect.texts([executor_id])
        return await self._read(statement, statement.bind(executor_ids=executor_ids, limit=limit))

    async def orphans(self, limit: int) -> list[ExecutionRecord]:  # noqa: D102
        return await self._leases.orphans(limit)

    async def joinable(  # noqa: D102
        self, task_ids: frozenset[str], limit: int
    ) -> list[ExecutionRecord]:
        if limit < 1 or not task_ids:
            return []
        statement = self._statements.joinable
        texts = self._dialect.texts(sorted(task_ids))
        return await self._read(statement, statement.bind(task_ids=texts, limit=limit))

    async def expired_sleepers(self, limit: int) -> Sleepers:  # noqa: D102
        if limit < 1:
            return Sleepers(records=())
        now = self._driver.clock()
        expired, ahead = self._statements.expired_sleepers, self._statements.next_expires_at

        first = self._statements.first_expires_at

        async def look(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(first, first.bind(now=now))

        # Nearly always nobody has to be woken, and one look tells when that changes.
        ((first_expires_at, seen_at),) = await self._driver.read(look, is_single=True)
        next_expires_at = to_instant(first_expires_at)
        if next_expires_at is None or next_expires_at > int(str(seen_at)):
            return Sleepers(records=(), next_expires_at=next_expires_at)

        async def work(transaction: Transaction) -> tuple[list[Row], Value]:
            rows = await transaction.fetch(expired, expired.bind(now=now, limit=limit))
            if len(rows) == limit:
                return rows, None
            next_rows = await transaction.fetch(ahead, ahead.bind(now=now))
            return rows, next_rows[0][0]

        rows, ahead_at = await self._driver.read(work)
        return Sleepers(records=tuple(map(to_record, rows)), next_expires_at=to_instant(ahead_at))

    async def earliest_ready(self) -> int | None:  # noqa: D102
        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(self._statements.earliest_ready)

        ((start_at,),) = await self._driver.read(work, is_single=True)
        return to_instant(start_at)

    async def search(self, search: Search) -> Page:  # noqa: D102
        complete = None if search.with_payloads else without_payloads
        rows = await self._finding.rows_of(search)
        return search.page([to_record(complete(row) if complete else row) for row in rows])

    async def counts(  # noqa: D102
        self, task_ids: frozenset[str] | None = None
    ) -> dict[str, dict[Status, int]]:
        statement = self._statements.counts
        values: Row = ()
        if task_ids is not None:
            statement = self._statements.counts_of_tasks
            values = statement.bind(task_ids=self._dialect.texts(sorted(task_ids)))

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, values)

        return to_counts(await self._driver.scan(work, is_led=False))

    async def delete_finished(  # noqa: D102
        self, finished_before: int, limit: int, *, id_before: str
    ) -> int:
        if limit < 1:
            return 0
        deletion = Deletion(self._statements, self._dialect)

        async def find(transaction: Transaction) -> Felling:
            return await deletion.find(transaction, finished_before, limit, id_before=id_before)

        while True:
            # Found apart, so that the lock is held only while rows go.
            felling = await self._driver.scan(find)
            if not felling.rows:
                return 0
            work = partial(deletion.delete, felling=felling)
            deleted = await self._driver.write(work)
            if deleted is not None:
                return deleted

    async def _migrate(self, transaction: Transaction) -> None:
        await migrate(transaction, self._dialect, self._statements)

    async def _check(self, transaction: Transaction) -> None:
        await check_schema(transaction, self._dialect, self._statements)

    async def _state(self, transaction: Transaction) -> SchemaState:
        return await state_of(transaction, self._dialect, self._statements)

    async def _read(
        self, statement: Statement, values: Row, complete: Callable[[Row], Row] | None = None
    ) -> list[ExecutionRecord]:
        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, values)

        rows = await self._driver.read(work, is_single=True)
        return [to_record(complete(row) if complete else row) for row in rows]

    async def _insert(self, work: Work[T], *, is_single: bool) -> T:
        try:
            return await self._driver.write(work, is_single=is_single)
        except SleepingIdConflictError as conflict:
            raise await duplicate_among(
                conflict.records, self._driver, self._statements
            ) from conflict
        except KeyConflictError as error:
            raise error.conflict from None
