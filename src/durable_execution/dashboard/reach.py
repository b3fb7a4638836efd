"""How far back a number of executions reaches: what bounds a look that no index leads."""

from __future__ import annotations

from typing import Final

from durable_execution.executor import DurableExecutor
from durable_execution.storage.search import Search

_NEWEST: Final = 500
"""Executions from which is guessed how many there are in a time."""


async def reach_of(executor: DurableExecutor, executions: int, *, now: int) -> int | None:
    """Return about how many milliseconds ago the oldest of the newest so many was created.

    A guess, from the newest few. None: there are only so few.

    Raises:
        StorageError: The storage cannot be reached.
    """
    newest = await executor.search_stored_task_executions(Search(limit=_NEWEST))
    if newest.next_cursor is None:
        return None
    took = max(1, now - newest.records[-1].created_at)
    return took * executions // _NEWEST
