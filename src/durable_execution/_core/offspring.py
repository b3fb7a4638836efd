"""How a record comes to be: the one place that builds roots and children."""

from __future__ import annotations

from typing import Final

import msgspec

from durable_execution._core.record import ExecutionRecord, Tags
from durable_execution._core.retry import NO_RETRIES, RetryPolicy


class Seed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of an execution before it has a place in a tree."""

    execution_id: str
    task_id: str
    input: bytes
    timeout_ms: int
    retry: RetryPolicy = NO_RETRIES
    sleep_before_run_ms: int = 0
    sleeping_unique_id: str | None = None
    are_children_sequential: bool = False


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What the one who enqueued a root wants it to be known by; children have none of it."""

    idempotency_key: str | None = None
    tags: Tags = ()


NO_LABEL: Final = Label()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a child stands below its parent."""

    index: int
    is_only_child: bool = False
    is_finalize: bool = False


def root_record(seed: Seed, *, now: int, label: Label = NO_LABEL) -> ExecutionRecord:
    """Build the record of an execution that was enqueued from outside."""
    record = _record(seed, None, None, now)
    if label is NO_LABEL:
        return record
    return msgspec.structs.replace(
        record, idempotency_key=label.idempotency_key, tags=tuple(sorted(label.tags))
    )


def in_trace(record: ExecutionRecord, trace: str | None) -> ExecutionRecord:
    """Make a record part of a trace, if there is one. A child is part of its parent's."""
    if trace is None:
        return record
    return msgspec.structs.replace(record, traceparent=trace)


def child_record(seed: Seed, parent: ExecutionRecord, place: Place, *, now: int) -> ExecutionRecord:
    """Build the record of a child; its root is its parent's root, or its parent."""
    return _record(seed, parent, place, now)


def _record(
    seed: Seed, parent: ExecutionRecord | None, place: Place | None, now: int
) -> ExecutionRecord:
    record = ExecutionRecord(
        execution_id=seed.execution_id,
        task_id=seed.task_id,
        retry=seed.retry,
        sleep_before_run_ms=seed.sleep_before_run_ms,
        timeout_ms=seed.timeout_ms,
        are_children_sequential=seed.are_children_sequential,
        status="ready",
        start_at=now + seed.sleep_before_run_ms,
        created_at=now,
        updated_at=now,
        input=seed.input,
    )
    if seed.sleeping_unique_id is not None:
        # A sleeping execution is born running: nothing but a wake-up or its expiry ends it.
        record = msgspec.structs.replace(
            record,
            sleeping_unique_id=seed.sleeping_unique_id,
            retry=NO_RETRIES,
            sleep_before_run_ms=0,
            status="running",
            start_at=now,
            started_at=now,
            expires_at=now + seed.timeout_ms,
        )
    if parent is None or place is None:
        return record
    return msgspec.structs.replace(
        record,
        root_task_id=parent.root_task_id or parent.task_id,
        root_execution_id=parent.root_execution_id or parent.execution_id,
        parent_task_id=parent.task_id,
        parent_execution_id=parent.execution_id,
        index_in_parent=place.index,
        is_only_child=place.is_only_child,
        is_finalize=place.is_finalize,
        traceparent=parent.traceparent,
    )
