"""Records for unit tests: legal in every status, and recognisable in every field."""

from __future__ import annotations

import msgspec

from durable_execution._core.record import PARKED_PREFIX, ExecutionRecord
from durable_execution._core.retry import RetryPolicy
from durable_execution._core.status import ERRORED, WAITING, Status
from durable_execution.errors import StoredError

NOW = 5_000
OLD_ERROR = StoredError(message="the attempt before", is_retryable=True)


def record_in(status: Status, **changes: object) -> ExecutionRecord:
    """Build a child in that status, tried twice and rescued once, with `changes` applied."""
    is_ready = status == "ready"
    is_waiting = status in WAITING
    is_finished = status in ERRORED or status == "completed"
    record = ExecutionRecord(
        execution_id="te_1",
        task_id="task",
        root_task_id="root_task",
        root_execution_id="te_root",
        parent_task_id="parent_task",
        parent_execution_id="te_parent",
        index_in_parent=3,
        is_only_child=True,
        retry=RetryPolicy(max_retries=3, base_delay_ms=100, delay_multiplier=2.0),
        sleep_before_run_ms=7,
        timeout_ms=60_000,
        are_children_sequential=True,
        status=status,
        fence=4,
        executor_id=None if is_ready else "executor",
        attempt=1,
        crash_count=1,
        start_at=1_000,
        created_at=900,
        updated_at=2_000,
        started_at=None if is_ready else 2_000,
        expires_at=None if is_ready else 62_000,
        waiting_for_children_at=2_500 if is_waiting else None,
        waiting_for_finalize_at=2_700 if status == "waiting_for_finalize" else None,
        finished_at=3_000 if is_finished else None,
        children_count=2 if is_waiting else 0,
        input=b"input",
        run_output=b"run output" if is_waiting else None,
        output=b"output" if status == "completed" else None,
        error=OLD_ERROR if status in {"ready", "running"} or status in ERRORED else None,
    )
    return msgspec.structs.replace(record, **changes)


def sleeper_in(status: Status, **changes: object) -> ExecutionRecord:
    """Build a sleeping child in that status."""
    sleeping = {"sleeping_unique_id": "bed", "executor_id": None, "fence": 0, **changes}
    return record_in(status, **sleeping)


def parked(**changes: object) -> ExecutionRecord:
    """Build a child that another program works on, under a lease of 10 seconds."""
    lease = {
        "sleeping_unique_id": f"{PARKED_PREFIX}te_1",
        "executor_id": None,
        "expires_at": 12_000,
    }
    return record_in("running", **{**lease, **changes})


def changed_fields(before: ExecutionRecord, after: ExecutionRecord) -> dict[str, object]:
    """Return what differs, by field: the value after."""
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: value for name, value in new.items() if value != old[name]}
