"""How far back a number of executions reaches: what bounds a look that no index leads."""

from __future__ import annotations

from typing import Final

from durable_execution.executor import DurableExecutor
from durable_execution.storage.search import Search

_NEWEST: Final = 500
"""Executions from which is guessed how many there are in a time."""


async def since_of(executor: DurableExecutor, executions: int) -> int | None:
    """Return since when about so many executions were created, in milliseconds since the epoch.

    A guess, from the newest few. None: there are only so few.

    Raises:
        StorageError: The storage cannot be reached.
    """
    page = await executor.search_stored_task_executions(Search(limit=_NEWEST))
    if page.next_cursor is None:
        return None
    newest, oldest = page.records[0].created_at, page.records[-1].created_at
    return newest - max(1, newest - oldest) * executions // _NEWEST
