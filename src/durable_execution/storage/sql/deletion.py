"""Deleting finished trees: which rows, found by one transaction, and their end in another."""

from __future__ import annotations

from collections.abc import Sequence

from durable_execution.storage._felling import Felling, rows_to_delete
from durable_execution.storage.sql.driver import SqlDialect, Transaction
from durable_execution.storage.sql.rows import Row, to_tags
from durable_execution.storage.sql.statements import Statements


class Deletion:
    """The two halves of `Storage.delete_finished`."""

    def __init__(self, statements: Statements, dialect: SqlDialect) -> None:
        self._statements = statements
        self._dialect = dialect

    async def find(
        self, transaction: Transaction, finished_before: int, limit: int, *, id_before: str
    ) -> Felling:
        """Return what to delete, at most `limit` rows."""

        async def children_of(parent_ids: Sequence[str], at_most: int) -> list[str]:
            statement = self._statements.children_ids
            ids = self._dialect.texts(parent_ids)
            values = statement.bind(parent_execution_ids=ids, limit=at_most)
            return [str(row[0]) for row in await transaction.fetch(statement, values)]

        statement = self._statements.finished_roots
        values = statement.bind(finished_before=finished_before, id_before=id_before, limit=limit)
        roots = [str(row[0]) for row in await transaction.fetch(statement, values)]
        return await rows_to_delete(roots, limit, children_of)

    async def delete(self, transaction: Transaction, felling: Felling) -> int | None:
        """Delete rows with their tags and progress; return how many there still were.

        None says that a root is no longer there or no longer finished: nothing was deleted.
        """
        hold = self._statements.hold_finished
        values = hold.bind(execution_ids=self._dialect.texts(felling.roots))
        if len(await transaction.fetch(hold, values)) < len(felling.roots):
            return None
        deleted = await self._delete(transaction, felling.rows)
        if deleted:
            ids = self._dialect.texts([str(row[0]) for row in deleted])
            forget = self._statements.delete_progress
            await transaction.execute(forget, forget.bind(execution_ids=ids))
        delete_tag = self._statements.delete_tag
        tags = [
            delete_tag.bind(name=name, value=value, execution_id=execution_id)
            for execution_id, text in deleted
            for name, value in to_tags(text)
        ]
        if tags:
            await transaction.execute_many(delete_tag, tags)
        return len(deleted)

    async def _delete(
        self, transaction: Transaction, execution_ids: Sequence[str]
    ) -> Sequence[Row]:
        delete, lock = self._statements.delete_finished, self._statements.lock_finished
        ids = self._dialect.texts(execution_ids)
        if lock is None:
            return await transaction.fetch(delete, delete.bind(execution_ids=ids))
        locked = await transaction.fetch(lock, lock.bind(execution_ids=ids))
        ids = self._dialect.texts([str(row[0]) for row in locked])
        await transaction.execute(delete, delete.bind(execution_ids=ids))
        return locked
