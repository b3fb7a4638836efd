"""One execution: what went in and came out, and the tree that it is part of as a timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from durable_execution._core.changes import TaskProgress
from durable_execution._core.past import NO_PAST, last_attempt
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED
from durable_execution.dashboard.clock import now_ms
from durable_execution.dashboard.desk import Desk, Query
from durable_execution.dashboard.filters import search_for_one
from durable_execution.dashboard.spans import stretches_of, timeline_of, totals_of
from durable_execution.dashboard.values import shown_payload
from durable_execution.errors import DurableExecutionNotFoundError
from durable_execution.executor import DurableExecutor
from durable_execution.storage.search import Search

MOST_BRANCHES: Final = 300
"""Executions of one tree that are shown."""


async def tree_facts(desk: Desk, query: Query) -> Mapping[str, object]:
    """Read an execution, and the tree around it.

    Raises:
        InvalidInputError: No execution can have such an id.
        DurableExecutionNotFoundError: There is none.
        StorageError: The storage cannot be reached.
    """
    execution_id = "".join(query.get("id", ()))
    record = await stored(desk.executor, execution_id)
    records, is_whole = await _tree(desk.executor, record)
    now = max(now_ms(), record.updated_at)
    pasts = await desk.executor.past_of_stored(records)
    past = pasts.get(record.execution_id, NO_PAST)
    timeline = timeline_of(records, pasts=pasts, now=now)
    last = last_attempt(record)
    root = next((each for each in records if each.parent_execution_id is None), record)
    return {
        "record": record,
        "input": shown_payload(record.input),
        "run_output": shown_payload(record.run_output),
        "output": shown_payload(record.output),
        "totals": totals_of(stretches_of(record, past=past, now=now)),
        "attempts": (*past.attempts, *(() if last is None else (last,))) if past.count else (),
        "attempts_left_out": past.count - len(past.attempts),
        "timeline": timeline,
        "shown_phases": {span.phase for each in timeline.branches for span in each.spans},
        "is_whole": is_whole,
        "root_id": root.execution_id,
        "progress": await _progress(desk.executor, record),
        "can_cancel": not record.is_finished,
        # What failed below a root that completed all the same stays as it is.
        "can_retry": record.status in ERRORED and root.status in ERRORED,
        "can_wake": record.is_sleeping and not record.is_finished,
    }


def tree_frame(query: Query) -> Mapping[str, object]:
    """Say which execution it is."""
    return {"execution_id": "".join(query.get("id", ()))}


async def stored(executor: DurableExecutor, execution_id: str) -> ExecutionRecord:
    """Read an execution, of whichever task.

    Raises:
        InvalidInputError: No execution can have such an id.
        DurableExecutionNotFoundError: There is none.
        StorageError: The storage cannot be reached.
    """
    page = await executor.search_stored_task_executions(search_for_one(execution_id))
    if not page.records:
        raise DurableExecutionNotFoundError(
            f"There is no execution {execution_id}; it may have been deleted"
        )
    return page.records[0]


async def _progress(executor: DurableExecutor, record: ExecutionRecord) -> TaskProgress | None:
    """Return what an unfinished execution said last; nothing where its task is not known here."""
    task = executor.tasks.get(record.task_id)
    if task is None or record.is_finished or record.started_at is None:
        return None
    handle = await executor.get_task_execution_handle(task, record.execution_id)
    return await handle.get_progress()


async def _tree(
    executor: DurableExecutor, record: ExecutionRecord
) -> tuple[Sequence[ExecutionRecord], bool]:
    """Read the tree from its root on, and tell whether that is all of it.

    Of a large tree, what is created first is shown, and the execution itself.
    """
    root_id = record.root_execution_id or record.execution_id
    below = await executor.search_stored_task_executions(
        Search(root_execution_id=root_id, order="oldest_first", limit=MOST_BRANCHES)
    )
    records = {each.execution_id: each for each in below.records}
    if record.root_execution_id is not None:
        page = await executor.search_stored_task_executions(
            search_for_one(root_id, with_payloads=False)
        )
        records |= {each.execution_id: each for each in page.records}
    records[record.execution_id] = record
    return list(records.values()), below.next_cursor is None
