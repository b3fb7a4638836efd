"""Failures, grouped by what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durable_execution._core.status import Status
from durable_execution.dashboard.desk import Desk, Query
from durable_execution.dashboard.shapes import grouped
from durable_execution.storage.search import Search

LOOKED_AT: Final = 500
"""The newest failures that are grouped."""
FAILED: Final[frozenset[Status]] = frozenset({"failed", "timed_out", "finalize_failed"})
"""Somebody who cancels an execution knows why."""
SHOWN_OF_A_GROUP: Final = 100


async def failures_facts(desk: Desk, query: Query) -> Mapping[str, object]:
    """Group the newest failures.

    Raises:
        StorageError: The storage cannot be reached.
    """
    page = await desk.executor.search_stored_task_executions(
        Search(statuses=FAILED, limit=LOOKED_AT)
    )
    return {
        "groups": grouped(page.records),
        "count": len(page.records),
        "is_all": page.next_cursor is None,
        "oldest": page.records[-1].created_at if page.records else None,
        "most_selected": SHOWN_OF_A_GROUP,
    }
