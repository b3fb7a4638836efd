"""Executions in a list on the wire: those of `remote.wire`, without payloads and families."""

from __future__ import annotations

from typing import Final

from durable_execution._codec import Encoded, Schema, enveloped
from durable_execution._core.found import FoundTaskExecution, TaskExecutionPage
from durable_execution._core.record import ExecutionRecord
from durable_execution.remote.wire import failed, object_of, renamed
from durable_execution.remote.wire_view import WireView, begun_view

_MISSING: Final = dict.fromkeys(
    (
        "root",
        "parent",
        "idempotency_key",
        "sleeping_task_unique_id",
        "executor_id",
        "error",
        "started_at",
        "expires_at",
        "finished_at",
    )
)
"""What a list may leave out of an execution, as it is then."""


class _WireEntry(WireView, gc=False):
    idempotency_key: str | None = None
    tags: dict[str, str] | None = None
    children_count: int | None = None


def wire_entry(record: ExecutionRecord, task_key: str) -> Encoded:
    """Write a row without payloads as the reference's object, as far as that can be.

    Besides there are what it was enqueued with and how many children it has. `taskId` is what
    callers name the task, so that they can ask for more.
    """
    entry, meta = begun_view(_WireEntry, record)
    entry.task_id = task_key
    entry.idempotency_key = record.idempotency_key
    entry.tags = dict(record.tags) or None
    entry.children_count = record.children_count
    entry.active_children_count = record.active_children_count
    return enveloped(entry, meta)


def page_from_wire(value: object) -> TaskExecutionPage:
    """Read what `listTaskExecutions` answers.

    Raises:
        ValidationFailed: It is no such page.
    """
    given = object_of(value, "page")
    entries, next_cursor = given.get("executions"), given.get("nextCursor")
    if not isinstance(entries, list):
        raise failed("executions", "expected an array")
    if not isinstance(next_cursor, str | None):
        raise failed("nextCursor", "expected a text")
    return TaskExecutionPage(
        executions=tuple(entry_from_wire(each) for each in entries), next_cursor=next_cursor
    )


def entry_from_wire(value: object) -> FoundTaskExecution:
    """Read one execution of a list.

    Raises:
        ValidationFailed: It is no such execution.
    """
    given = object_of(value, "execution")
    facts = {
        **_MISSING,
        **renamed(given),
        "idempotency_key": given.get("idempotencyKey"),
        "tags": given.get("tags", {}),
        "children_count": given.get("childrenCount"),
    }
    return _ENTRY.convert(facts, root="execution")


_ENTRY: Final[Schema[FoundTaskExecution]] = Schema(FoundTaskExecution)
