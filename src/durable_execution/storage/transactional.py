"""What a storage can do beyond the contract when its database is also the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from durable_execution._core.record import ExecutionRecord

if TYPE_CHECKING:
    from durable_execution.storage.sql.caller import CallerConnection


@runtime_checkable
class TransactionalStorage(Protocol):
    """A storage whose rows can be inserted by a connection of the caller's."""

    async def insert_with(
        self, connection: CallerConnection, record: ExecutionRecord
    ) -> ExecutionRecord | None:
        """Insert a new row inside the transaction that the connection is in.

        Nothing is committed: the row exists for others when the caller commits. Returns the row
        that has the key of this one, if there is one, and inserts nothing then.

        Raises:
            InvalidOptionError: The connection is none that this storage can use.
            DuplicateSleepingIdError: The sleeping id is taken; nothing was inserted, and the
                transaction goes on.
            StorageError: The database has no tables of ours, or not those of this release.
        """
        ...
