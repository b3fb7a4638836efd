"""What must be true of every row at every moment, whatever happened.

`check_writes` looks at how rows changed, `check_guards` at what may still change them, `check_rows`
at how they stand. Each raises AssertionError with the row that broke the law.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from durable_execution._core.past import KEPT_ATTEMPTS, Past, last_attempt, may_have_past
from durable_execution._core.patch import Park, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED, WAITING, Status
from durable_execution._core.watching import revision_of
from tests._core.model_engine import ModelEngine, signature
from tests._core.plans import Chain, Fan, Loop, Sleeper, Work

if TYPE_CHECKING:
    from tests._core.model_database import ModelDatabase

CRASH_BUDGET = 2

_NEXT: dict[Status, set[Status]] = {
    "ready": {"running", "cancelled"},
    "running": {
        "ready",
        "running",
        "waiting_for_children",
        "completed",
        "failed",
        "timed_out",
        "cancelled",
    },
    "waiting_for_children": {
        "waiting_for_children",
        "waiting_for_finalize",
        "completed",
        "finalize_failed",
        "cancelled",
    },
    "waiting_for_finalize": {"waiting_for_finalize", "completed", "finalize_failed", "cancelled"},
    "failed": {"ready", "running"},
    "timed_out": {"ready", "running"},
    "finalize_failed": {"waiting_for_children", "waiting_for_finalize"},
    "cancelled": {"ready", "running", "waiting_for_children", "waiting_for_finalize"},
    "completed": set(),
}
_NEVER_CHANGE = [
    "task_id",
    "root_task_id",
    "root_execution_id",
    "parent_task_id",
    "parent_execution_id",
    "index_in_parent",
    "is_only_child",
    "is_finalize",
    "sleeping_task_unique_id",
    "retry",
    "sleep_before_run_ms",
    "timeout_ms",
    "are_children_sequential",
    "created_at",
    "input",
]
_NEVER_FALL = ["fence", "children_count"]
_NEVER_FALL_UNTIL_REOPENED = ["attempt", "crash_count"]


def check_writes(database: ModelDatabase) -> None:
    """Check each change since the last check, and forget it."""
    for before, after in database.writes:
        if before is not None:
            assert after.status in _NEXT[before.status], f"illegal: {before} -> {after}"
            for name in _NEVER_CHANGE:
                assert getattr(before, name) == getattr(after, name), f"{name} changed: {after}"
            is_move = (before.status, before.fence) != (after.status, after.fence)
            risen = _revision(after) - _revision(before)
            assert risen > 0 if is_move else risen == 0, f"out of order: {before} -> {after}"
            kept = [] if before.is_finished else _NEVER_FALL_UNTIL_REOPENED
            for name in [*_NEVER_FALL, *kept]:
                assert getattr(before, name) <= getattr(after, name), f"{name} fell: {after}"
            if before.is_parked and after.is_parked:
                assert (before.expires_at or 0) <= (after.expires_at or 0), f"cut short: {after}"
    database.writes.clear()


def _revision(row: ExecutionRecord) -> int:
    return revision_of(row.status, row.fence)


def check_guards(database: ModelDatabase) -> None:
    """Check that what was applied once can never apply again, whoever repeats it and when.

    But for a park: that may come again, and takes nothing back.
    """
    for transition in database.applied:
        row = database.rows[transition.guard.execution_id]
        if isinstance(transition.patch, Park):
            if transition.guard.holds(row):
                again = patched(row, transition.patch)
                assert again == msgspec.structs.replace(row, updated_at=again.updated_at), row
            continue
        assert not transition.guard.holds(row), f"would apply again: {transition} to {row}"


def check_rows(database: ModelDatabase, engine: ModelEngine) -> None:
    """Check every row, alone and with its children."""
    for row in database.rows.values():
        children = database.children_of(row.execution_id)
        _check_alone(row)
        check_past(row, database.past_of(row), begun=database.begun[row.execution_id])
        _check_family(row, children, database)
        _check_count(row, children)
        _check_shape(row, children, engine)
        _check_origin(row, children, database, engine)


def check_past(row: ExecutionRecord, past: Past, *, begun: int) -> None:
    """Check that every attempt that began is in the past of the row, or is its last one."""
    last = last_attempt(row)
    assert past.count + (last is not None) == begun, (row, past, last)
    assert len(past.attempts) == min(past.count, KEPT_ATTEMPTS), (row, past)
    assert past.count == 0 or may_have_past(row), (row, past)
    attempts = [*past.attempts, *([] if last is None else [last])]
    for each in attempts:
        assert each.ended_at is None or each.started_at <= each.ended_at, (row, each)
        assert (each.outcome is None) == (each.ended_at is None), (row, each)
        assert (each.ended_at is None) == (each is last and row.status == "running"), (row, each)
    for before, after in pairwise(attempts):
        assert (before.ended_at or 0) <= after.started_at, (row, attempts)


def _check_alone(row: ExecutionRecord) -> None:
    assert (row.finished_at is not None) == row.is_finished, row
    assert (row.output is not None) == (row.status == "completed"), row
    if row.is_finished:
        assert (row.error is not None) == (row.status in ERRORED), row
    assert row.attempt <= row.retry.max_retries, row
    assert row.crash_count <= CRASH_BUDGET, row
    if row.is_sleeping:
        assert row.executor_id is None, row
        assert row.retry.max_retries == 0, row
        assert row.status not in {"ready", *WAITING}, row
    if row.status in WAITING:
        assert row.error is None, row
    if row.status == "ready":
        assert row.executor_id is None, row
        assert row.started_at is None, row
        assert row.expires_at is None, row
    if row.status == "running":
        assert (row.executor_id is None) == (row.is_sleeping or row.is_parked), row
        assert (row.sleeping_unique_id is None) == (row.executor_id is not None), row
        assert row.started_at is not None, row
        assert row.expires_at is not None, row
        ends_at = row.started_at + row.timeout_ms
        assert row.expires_at <= ends_at if row.is_parked else row.expires_at == ends_at, row


def _check_family(
    row: ExecutionRecord, children: list[ExecutionRecord], database: ModelDatabase
) -> None:
    for child in children:
        assert child.parent_task_id == row.task_id, child
    if row.parent_execution_id is None:
        assert row.root_execution_id is None, row
        return
    top = database.rows[row.parent_execution_id]
    assert row.is_finished or not top.is_finished, f"left behind: {row}"
    while top.parent_execution_id is not None:
        top = database.rows[top.parent_execution_id]
    assert (row.root_execution_id, row.root_task_id) == (top.execution_id, top.task_id), row


def _check_count(row: ExecutionRecord, children: list[ExecutionRecord]) -> None:
    unfinished = sum(not child.is_finished for child in children)
    if row.status in WAITING:
        assert row.active_children_count == unfinished, (row, children)
        assert row.is_joinable == (unfinished == 0), row
    else:
        assert row.active_children_count == 0, row
        assert unfinished == 0, (row, children)
    ordinary = [child.index_in_parent for child in children if not child.is_finalize]
    assert ordinary == list(range(row.children_count)), (row, children)
    finalizes = [child.index_in_parent for child in children if child.is_finalize]
    assert len(set(finalizes)) == len(finalizes), (row, children)
    earlier = [child for child in children if child.is_finalize][:-1]
    assert all(child.status in ERRORED for child in earlier), (row, children)


def _check_shape(
    row: ExecutionRecord, children: list[ExecutionRecord], engine: ModelEngine
) -> None:
    plan = engine.plans[row.task_id]
    ordinary = [child for child in children if not child.is_finalize]
    match plan:
        case Work() | Sleeper():
            assert not children, (row, children)
            return
        case Fan(planned, finalize):
            assert len(ordinary) in {0, len(planned)}, (row, children)
            assert len(children) == len(ordinary) or finalize is not None, (row, children)
            if row.status == "completed" and finalize is not None:
                assert row.output == children[-1].output, (row, children)
        case Chain(steps):
            assert len(ordinary) <= len(steps), (row, children)
            _check_order(row, ordinary)
            for step, following in pairwise(ordinary):
                assert following.input == step.output, (row, children)
            if row.status == "completed":
                assert len(ordinary) == len(steps), (row, children)
                assert row.output == ordinary[-1].output, (row, children)
        case Loop(_, max_attempts):
            assert len(ordinary) <= max_attempts, (row, children)
            _check_order(row, ordinary)
            assert all(turn.input == row.input for turn in ordinary), (row, children)


def _check_order(row: ExecutionRecord, ordinary: list[ExecutionRecord]) -> None:
    for earlier in ordinary[:-1]:
        assert earlier.status == "completed", (row, ordinary)


def _check_origin(
    row: ExecutionRecord,
    children: list[ExecutionRecord],
    database: ModelDatabase,
    engine: ModelEngine,
) -> None:
    claims = database.claims.get(row.execution_id, [])
    if row.status == "running" and not row.is_sleeping:
        assert row.fence == claims[-1].fence, row
        assert row.executor_id in ({None} if row.is_parked else {claims[-1].executor_id}), row
    if row.run_output is not None:
        assert row.run_output == signature(claims[-1]), (row, claims)
    if isinstance(engine.plans[row.task_id], Work) and row.output is not None:
        assert row.output.rstrip(b"!") == signature(claims[-1]), (row, claims)
        assert row.fence == claims[-1].fence, (row, claims)
    assert row.run_output is not None or not children, (row, children)
