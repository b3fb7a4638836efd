"""Records as the engine makes them, with defaults for all that a test does not care about."""

from __future__ import annotations

from itertools import count

import msgspec

from durable_execution._core.offspring import (
    NO_LABEL,
    Label,
    Place,
    Seed,
    child_record,
    in_trace,
    root_record,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import NO_RETRIES, RetryPolicy

TIMEOUT_MS = 60_000
"""The timeout of built records, unless another is given."""


class RecordBuilder:
    """Builds records through the engine's own constructors, with ids that count up.

    Args:
        prefix: Starts every id, so that the rows of several builders never meet.
    """

    def __init__(self, prefix: str = "x") -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def new_id(self) -> str:
        """Return an execution id that this builder has not used; ids sort by their age."""
        return f"{self._prefix}{next(self._numbers):08d}"

    def seed(
        self,
        *,
        execution_id: str | None = None,
        task_id: str = "task",
        input: bytes = b'{"json":null}',
        timeout_ms: int = TIMEOUT_MS,
        retry: RetryPolicy = NO_RETRIES,
        sleep_before_run_ms: int = 0,
        sleeping_unique_id: str | None = None,
        are_children_sequential: bool = False,
    ) -> Seed:
        """Return what an execution is before it has a place in a tree."""
        return Seed(
            execution_id=execution_id or self.new_id(),
            task_id=task_id,
            input=input,
            timeout_ms=timeout_ms,
            retry=retry,
            sleep_before_run_ms=sleep_before_run_ms,
            sleeping_unique_id=sleeping_unique_id,
            are_children_sequential=are_children_sequential,
        )

    def root(
        self,
        now: int,
        *,
        task_id: str = "task",
        input: bytes = b'{"json":null}',
        sleep_before_run_ms: int = 0,
        start_at: int | None = None,
        label: Label = NO_LABEL,
        traceparent: str | None = None,
    ) -> ExecutionRecord:
        """Return an enqueued execution; `start_at` may lie before `now`, as after a backlog."""
        seed = self.seed(task_id=task_id, input=input, sleep_before_run_ms=sleep_before_run_ms)
        record = in_trace(root_record(seed, now=now, label=label), traceparent)
        return record if start_at is None else msgspec.structs.replace(record, start_at=start_at)

    def again(self, record: ExecutionRecord) -> ExecutionRecord:
        """Return a root with the id of another, as it was when that was enqueued."""
        seed = self.seed(execution_id=record.execution_id, task_id=record.task_id)
        return root_record(seed, now=record.created_at)

    def roots(self, now: int, number: int, *, task_id: str = "task") -> list[ExecutionRecord]:
        """Return that many enqueued executions."""
        return [self.root(now, task_id=task_id) for _ in range(number)]

    def sleeper(
        self,
        now: int,
        unique_id: str,
        *,
        timeout_ms: int = TIMEOUT_MS,
        task_id: str = "sleeper",
        label: Label = NO_LABEL,
    ) -> ExecutionRecord:
        """Return a sleeping execution."""
        seed = self.seed(task_id=task_id, sleeping_unique_id=unique_id, timeout_ms=timeout_ms)
        return root_record(seed, now=now, label=label)

    def child(
        self,
        parent: ExecutionRecord,
        now: int,
        *,
        index: int = 0,
        is_finalize: bool = False,
        task_id: str = "task",
        sleeping_unique_id: str | None = None,
    ) -> ExecutionRecord:
        """Return a child of the parent."""
        seed = self.seed(task_id=task_id, sleeping_unique_id=sleeping_unique_id)
        return child_record(seed, parent, Place(index=index, is_finalize=is_finalize), now=now)

    def children(
        self, parent: ExecutionRecord, now: int, number: int, *, task_id: str = "task"
    ) -> tuple[ExecutionRecord, ...]:
        """Return that many children of the parent, by index."""
        return tuple(
            self.child(parent, now, index=index, task_id=task_id) for index in range(number)
        )
