"""Executions on the wire as operators see them: with all that is kept of them, tracebacks too.

The views of `remote.wire` are for callers, who are shown less. These have their fields, and more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from durable_execution._codec import Encoded, Schema, enveloped
from durable_execution._core.found import FoundTaskExecution
from durable_execution._core.past import Past
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.views import PastAttempt
from durable_execution.remote.listed import entry_from_wire
from durable_execution.remote.wire import failed, object_of, renamed
from durable_execution.remote.wire_view import Children, WireView, begun_view, tell_past, whole_view


class _WireOperated(WireView, gc=False):
    idempotency_key: str | None = None
    tags: dict[str, str] | None = None
    children_count: int | None = None
    crash_count: int | None = None
    left_out: int | None = None
    payloads_left_out: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskExecutionTree:
    """An execution with what is below it, as operators see it."""

    execution: FoundTaskExecution
    input: object
    """As it was decoded, None where it is not shown."""
    output: object
    crash_count: int
    """Times it was taken from a dead executor."""
    past_attempts: tuple[PastAttempt, ...]
    """The attempts before the last one, as far as they are kept."""
    past_attempts_count: int
    children: Sequence[TaskExecutionTree]
    """In their order, finalize executions last."""
    left_out: int
    """Children that are not shown, because there are too many, or too deep."""
    are_payloads_left_out: bool
    """Whether input, output and traceback are not shown, because all together are too large. Ask
    for the tree of this execution alone."""


def wire_operated(record: ExecutionRecord, children: Children, past: Past) -> Encoded:
    """Write a row, read with its payloads, the children that it names, and its past."""
    view, meta = whole_view(_WireOperated, record, children)
    _tell_more(view, record)
    tell_past(view, meta, past, with_tracebacks=True)
    return enveloped(view, meta)


def wire_branch(
    record: ExecutionRecord,
    *,
    left_out: int,
    has_payloads: bool,
    past: Past,
    is_within_reach: bool,
) -> Encoded:
    """Write a row in its tree, where others show who its children are.

    Of one whose task is out of the caller's reach there is no more than how it stands.
    """
    if is_within_reach and has_payloads:
        view, meta = whole_view(_WireOperated, record, ())
        view.children = None
    else:
        view, meta = begun_view(_WireOperated, record)
    if is_within_reach:
        _tell_more(view, record, with_traceback=has_payloads)
        view.payloads_left_out = None if has_payloads else True
        tell_past(view, meta, past, with_tracebacks=True)
    else:
        view.error = view.executor_id = view.sleeping_task_unique_id = None
    view.children_count = record.children_count
    view.active_children_count = record.active_children_count
    view.left_out = left_out or None
    return enveloped(view, meta)


def tree_from_wire(value: object) -> TaskExecutionTree:
    """Read what `getTaskExecutionTree` answers.

    Raises:
        ValidationFailed: It is no such answer.
    """
    entries = object_of(value, "tree").get("executions")
    if not isinstance(entries, list) or not entries:
        raise failed("executions", "expected an array with something in it")
    given = [object_of(entry, "execution") for entry in entries]
    below: dict[object, list[TaskExecutionTree]] = {}
    tree: TaskExecutionTree | None = None
    # From the last one on, so that each finds its children read.
    for index, entry in reversed(list(enumerate(given))):
        children = below.pop(entry.get("executionId"), [])
        tree = _tree(entry, tuple(reversed(children)))
        if index:
            below.setdefault(parent_id_of(entry), []).append(tree)
    if tree is None or below:
        raise failed("executions", "expected each behind its parent")
    return tree


def parent_id_of(facts: Mapping[str, object]) -> object:
    """Return the id of the parent that an execution on the wire names, None if it names none."""
    parent = facts.get("parent")
    return parent.get("executionId") if isinstance(parent, Mapping) else None


def _tell_more(
    view: _WireOperated, record: ExecutionRecord, *, with_traceback: bool = True
) -> None:
    """Add what callers of the tasks router are not shown."""
    view.executor_id = record.executor_id
    view.idempotency_key = record.idempotency_key
    view.tags = dict(record.tags) or None
    view.children_count = record.children_count
    view.active_children_count = record.active_children_count
    view.crash_count = record.crash_count
    error = record.error
    if error is not None:
        view.error = msgspec.to_builtins(error if with_traceback else error.without_traceback())


def _tree(given: Mapping[str, object], children: Sequence[TaskExecutionTree]) -> TaskExecutionTree:
    kept = _KEPT.convert({**given, **renamed(given)}, root="execution")
    return TaskExecutionTree(
        execution=entry_from_wire(given),
        input=given.get("input"),
        output=given.get("output"),
        crash_count=kept.crash_count,
        past_attempts=kept.past_attempts,
        past_attempts_count=kept.past_attempts_count,
        children=children,
        left_out=kept.left_out,
        are_payloads_left_out=kept.payloads_left_out,
    )


class _Kept(msgspec.Struct):
    crash_count: int = msgspec.field(default=0, name="crashCount")
    past_attempts: tuple[PastAttempt, ...] = ()
    past_attempts_count: int = 0
    left_out: int = msgspec.field(default=0, name="leftOut")
    payloads_left_out: bool = msgspec.field(default=False, name="payloadsLeftOut")


_KEPT: Final[Schema[_Kept]] = Schema(_Kept)
