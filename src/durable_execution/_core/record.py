"""The row of one execution, the same for every storage."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from durable_execution._core.retry import NO_RETRIES, RetryPolicy
from durable_execution._core.status import FINISHED, WAITING, Status
from durable_execution.errors import StoredError

Tags: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, by name; no name twice."""

PARKED_PREFIX: Final = "durable-execution:"
"""Begins the `sleeping_unique_id` of every parked row, and that of no sleeping task's."""


class ExecutionRecord(msgspec.Struct, frozen=True, gc=False):
    """One durable row. Instants are milliseconds since the epoch, payloads encoded envelopes.

    Name the fields when making one. Only the reading of rows gives them by place, which is eight
    times as fast.

    Invariants, held by property tests, by CHECK constraints and by the transitions:

    - a row is finished exactly when `finished_at` is set;
    - `running` has an owner (`executor_id`) unless it sleeps or is parked (`sleeping_unique_id`):
      one of the two, never both;
    - a sleeping row is never claimed; what parks a row begins its sleeping id, and no other;
    - an errored finish has `error`; `completed` has none;
    - `active_children_count` is the number of unfinished children (the finalize child included)
      while the row waits, and 0 in every other status;
    - a waiting row whose count is 0 is joinable;
    - a finished row has no unfinished descendant, and no descendant of a completed row ever
      changes;
    - only a root has an idempotency key or tags, and no two rows of a task have the same key.
    """

    execution_id: str
    task_id: str
    timeout_ms: int
    status: Status
    start_at: int
    created_at: int
    updated_at: int
    input: bytes

    fence: int = 0
    """Raised by each claim, each step of a waiting row and each reopening: proves whose write is
    current."""
    executor_id: str | None = None
    """The executor that holds the lease, or held it last."""
    started_at: int | None = None
    expires_at: int | None = None
    attempt: int = 0
    """Attempts before this one that failed and were retried, since it was enqueued or reopened."""
    crash_count: int = 0
    """Times the row was taken from a dead executor."""

    retry: RetryPolicy = NO_RETRIES
    sleep_before_run_ms: int = 0
    are_children_sequential: bool = False
    sleeping_unique_id: str | None = None
    idempotency_key: str | None = None
    """Whoever enqueues the task with this key again gets this row."""
    tags: Tags = ()

    root_task_id: str | None = None
    root_execution_id: str | None = None
    parent_task_id: str | None = None
    parent_execution_id: str | None = None
    index_in_parent: int = 0
    is_only_child: bool = False
    is_finalize: bool = False

    children_count: int = 0
    """Children inserted so far, finalize children left out."""
    active_children_count: int = 0
    waiting_for_children_at: int | None = None
    waiting_for_finalize_at: int | None = None

    finished_at: int | None = None
    run_output: bytes | None = None
    output: bytes | None = None
    error: StoredError | None = None

    traceparent: str | None = None
    """The trace that the execution belongs to, and the span in it that caused it (W3C).

    Behind a space follows the `tracestate` of that span, if it has one.
    """

    @property
    def is_finished(self) -> bool:
        """Whether the row has ended. It changes again only if it has failed and is reopened."""
        return self.status in FINISHED

    @property
    def is_sleeping(self) -> bool:
        """Whether the row is a sleeping task's, which is ended from outside, never claimed."""
        sleeping_id = self.sleeping_unique_id
        return sleeping_id is not None and not sleeping_id.startswith(PARKED_PREFIX)

    @property
    def sleeping_task_unique_id(self) -> str | None:
        """The id that a sleeping task was enqueued with."""
        return self.sleeping_unique_id if self.is_sleeping else None

    @property
    def is_parked(self) -> bool:
        """Whether its attempt goes on in another program, and no executor holds it meanwhile."""
        sleeping_id = self.sleeping_unique_id
        return (
            self.status == "running"
            and sleeping_id is not None
            and sleeping_id.startswith(PARKED_PREFIX)
        )

    @property
    def attempt_ends_at(self) -> int | None:
        """When the time of the attempt under way is over, wherever it goes on."""
        return None if self.started_at is None else self.started_at + self.timeout_ms

    def without_payloads(self) -> ExecutionRecord:
        """Return the row with an empty `input` and no outputs, as lists show it."""
        return msgspec.structs.replace(
            self, input=b"", run_output=None, output=None, traceparent=None
        )

    @property
    def is_joinable(self) -> bool:
        """Whether all that the row waits for has ended."""
        return self.status in WAITING and self.active_children_count == 0
