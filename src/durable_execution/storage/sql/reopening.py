"""Reopening a tree that has failed, inside one transaction that holds its root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from durable_execution._core.reopening import Family, Reopening
from durable_execution._core.status import ERRORED
from durable_execution.errors import StorageError
from durable_execution.storage._reopening import families_among, rows_to_reopen
from durable_execution.storage.protocol import Reopened
from durable_execution.storage.sql.driver import SqlDialect, Transaction
from durable_execution.storage.sql.rows import reopen_row, to_record, without_payloads
from durable_execution.storage.sql.statements import Statements

_WRITTEN_AT_ONCE: Final = 1000


class Reopener:
    """The statements of `Storage.reopen`."""

    def __init__(self, statements: Statements, dialect: SqlDialect) -> None:
        self._statements = statements
        self._dialect = dialect

    async def run(self, transaction: Transaction, execution_id: str, now: int) -> Reopened:
        """Reopen a tree, as `Storage.reopen` says."""
        ids = self._dialect.texts([execution_id])
        hold = self._statements.hold_finished
        await transaction.fetch(hold, hold.bind(execution_ids=ids))
        get = self._statements.get
        rows = await transaction.fetch(get, get.bind(execution_ids=ids))
        root = to_record(rows[0]) if rows else None
        if root is None or root.status not in ERRORED:
            return Reopened(root=root)

        async def families_of(parent_ids: Sequence[str]) -> Mapping[str, Family]:
            return await self._families_of(transaction, parent_ids)

        found = await rows_to_reopen(root, families_of, now=now)
        if isinstance(found, str):
            return Reopened(root=root, refusal=found)
        for first in range(0, len(found), _WRITTEN_AT_ONCE):
            await self._write(transaction, found[first : first + _WRITTEN_AT_ONCE])
        shown = tuple(each.after.without_payloads() for each in found)
        return Reopened(root=found[0].after, rows=shown)

    async def _families_of(
        self, transaction: Transaction, parent_ids: Sequence[str]
    ) -> Mapping[str, Family]:
        if not parent_ids:
            return {}
        ids = self._dialect.texts(parent_ids)
        failed, count = self._statements.failed_children, self._statements.children_counts
        rows = await transaction.fetch(failed, failed.bind(parent_execution_ids=ids))
        counts = await transaction.fetch(count, count.bind(parent_execution_ids=ids))
        children = [to_record(without_payloads(row)) for row in rows]
        return families_among(children, cast("list[tuple[str, int]]", counts))

    async def _write(self, transaction: Transaction, found: Sequence[Reopening]) -> None:
        rows = [reopen_row(each) for each in found]
        matched = await transaction.match_each(self._statements.reopen, rows)
        if not all(matched):
            root_id = found[0].before.root_execution_id or found[0].before.execution_id
            raise StorageError(f"the tree of {root_id} changed while it was held")
