"""Executions on the wire: rows, written at once as the reference's camelCase objects.

Which field a status shows, and which of them may be missing, is the reference's `TaskExecution`
union. A missing field is left out, never null. The reference's instants are `Date`s, which are
written as texts with the tag of a date. `remote.wire` reads what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from durable_execution._codec import Encoded, date_tag, date_text, dumps, encoded_part, enveloped
from durable_execution._core.past import NO_PAST, Attempt, Past
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryPolicy
from durable_execution._core.status import Status

Children: TypeAlias = Sequence[ExecutionRecord]
Summary: TypeAlias = dict[str, Any]
ViewT = TypeVar("ViewT", bound="WireView")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Final = b"{}"  # the envelope of undefined

_OWN_NAMES: Final = {
    "attempt": "retryAttempts",
    "retry": "retryOptions",
    "sleep_before_run_ms": "sleepMsBeforeRun",
    "waiting_for_children_at": "waitingForChildrenStartedAt",
    "waiting_for_finalize_at": "waitingForFinalizeStartedAt",
}
"""The fields that the reference calls otherwise than rows do."""


def _wire_name(name: str) -> str:
    first, *rest = name.split("_")
    return _OWN_NAMES.get(name) or first + "".join(word.capitalize() for word in rest)


class WireView(msgspec.Struct, omit_defaults=True, rename=_wire_name, gc=False):
    """What is shown of an execution; a field that is None is missing.

    The fields are those of rows. Input and output are not copied from them: a finalize task's
    input is composed when that runs and kept nowhere, and lists show neither.
    """

    root: Summary | None = None
    parent: Summary | None = None
    task_id: str | None = None
    execution_id: str | None = None
    sleeping_task_unique_id: str | None = None
    are_children_sequential: bool | None = None
    retry: msgspec.Raw | None = None
    sleep_before_run_ms: int | None = None
    timeout_ms: int | None = None
    input: msgspec.Raw | None = None
    status: Status | None = None
    attempt: int | None = None
    start_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    started_at: str | None = None
    expires_at: str | None = None
    waiting_for_children_at: str | None = None
    children: list[Summary] | None = None
    active_children_count: int | None = None
    waiting_for_finalize_at: str | None = None
    finalize: Summary | None = None
    finished_at: str | None = None
    output: msgspec.Raw | None = None
    error: object = None
    executor_id: str | None = None
    past_attempts: msgspec.Raw | None = None
    past_attempts_count: int | None = None


class _Shown(NamedTuple):
    """What a status shows besides the fields that all of them have."""

    instants: tuple[tuple[str, msgspec.Raw], ...] = ()
    """The names of fields, and their tags."""
    has_children: bool = False
    has_finalize: bool = False
    has_output: bool = False
    has_error: bool = False
    has_executor: bool = False


def _instants(*names: str) -> tuple[tuple[str, msgspec.Raw], ...]:
    return tuple((name, date_tag(_wire_name(name))) for name in names)


_ALWAYS: Final = [tag for _, tag in _instants("start_at", "created_at", "updated_at")]
_STARTED: Final = ("started_at", "expires_at")
_WAITING: Final = (*_STARTED, "waiting_for_children_at")
_JOINED: Final = (*_WAITING, "waiting_for_finalize_at")
_FAILED: Final = _Shown(_instants(*_STARTED, "finished_at"), has_error=True)
_SETTLED: Final = _Shown(_instants(*_JOINED, "finished_at"), has_children=True, has_finalize=True)

_SHOWN: Final[Mapping[Status, _Shown]] = {
    "ready": _Shown(has_error=True),
    "running": _Shown(_instants(*_STARTED), has_executor=True, has_error=True),
    "waiting_for_children": _Shown(_instants(*_WAITING), has_children=True),
    "waiting_for_finalize": _Shown(_instants(*_JOINED), has_children=True, has_finalize=True),
    "completed": _SETTLED._replace(has_output=True),
    "failed": _FAILED,
    "timed_out": _FAILED,
    "finalize_failed": _SETTLED._replace(has_error=True),
    "cancelled": _SETTLED._replace(has_error=True, has_executor=True),
}


def wire_view(record: ExecutionRecord, children: Children = (), past: Past = NO_PAST) -> Encoded:
    """Write a row as the reference's object; input and output pass through as they are stored.

    `children` are needed, without payloads, if it has spawned any.
    """
    view, meta = whole_view(WireView, record, children)
    tell_past(view, meta, past)
    return enveloped(view, meta)


def whole_view(
    kind: type[ViewT], record: ExecutionRecord, children: Children
) -> tuple[ViewT, list[object]]:
    """Make the view of a row, and its meta."""
    view, meta = begun_view(kind, record)
    shown = _SHOWN[record.status]
    if not record.is_finalize:
        view.input = encoded_part("input", record.input, meta)
    if shown.has_output:
        view.output = encoded_part("output", record.output or _NOTHING, meta)
    if shown.has_children:
        view.children = [_summary(each) for each in children if not each.is_finalize]
        view.active_children_count = record.active_children_count
    if shown.has_finalize and children:
        # The last of them: after a retry there may be more than one.
        view.finalize = next(
            (_summary(each) for each in reversed(children) if each.is_finalize), None
        )
    return view, meta


def begun_view(kind: type[ViewT], record: ExecutionRecord) -> tuple[ViewT, list[object]]:
    """Begin the view of a row, and its meta: without payloads and family."""
    shown = _SHOWN[record.status]
    meta: list[object] = [*_ALWAYS]
    view = kind(
        root=None if record.root_execution_id is None else _root(record),
        parent=None if record.parent_execution_id is None else _parent(record),
        task_id=record.task_id,
        execution_id=record.execution_id,
        sleeping_task_unique_id=record.sleeping_task_unique_id,
        are_children_sequential=record.are_children_sequential,
        retry=_retry_options(record.retry),
        sleep_before_run_ms=record.sleep_before_run_ms,
        timeout_ms=record.timeout_ms,
        status=record.status,
        attempt=record.attempt,
        start_at=date_text(record.start_at),
        created_at=date_text(record.created_at),
        updated_at=date_text(record.updated_at),
    )
    for name, tag in shown.instants:
        instant: int | None = getattr(record, name)
        if instant is not None:
            setattr(view, name, date_text(instant))
            meta.append(tag)
    if shown.has_error and record.error is not None:
        view.error = msgspec.to_builtins(record.error.without_traceback())
    if shown.has_executor:
        view.executor_id = record.executor_id
    return view, meta


def tell_past(
    view: WireView, meta: list[object], past: Past, *, with_tracebacks: bool = False
) -> None:
    """Add the attempts before the last one, where there are any: no old client knows of them."""
    if past.count:
        attempts = [_past_attempt(each, with_traceback=with_tracebacks) for each in past.attempts]
        view.past_attempts = encoded_part("pastAttempts", dumps(attempts), meta)
        view.past_attempts_count = past.count


def _past_attempt(attempt: Attempt, *, with_traceback: bool) -> dict[str, object]:
    error = attempt.error
    if error is not None and not with_traceback:
        error = error.without_traceback()
    shown: dict[str, object] = {
        "retryAttempts": attempt.attempt,
        "outcome": attempt.outcome,
        "startedAt": _EPOCH + timedelta(milliseconds=attempt.started_at),
        "endedAt": _EPOCH + timedelta(milliseconds=attempt.ended_at or 0),
        "executorId": attempt.executor_id,
        "error": None if error is None else msgspec.to_builtins(error),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _summary(record: ExecutionRecord) -> Summary:
    return {"taskId": record.task_id, "executionId": record.execution_id}


def _root(record: ExecutionRecord) -> Summary:
    return {"taskId": record.root_task_id, "executionId": record.root_execution_id}


def _parent(record: ExecutionRecord) -> Summary:
    return {
        "taskId": record.parent_task_id,
        "executionId": record.parent_execution_id,
        "indexInParentChildren": record.index_in_parent,
        "isOnlyChildOfParent": record.is_only_child,
        "isFinalizeOfParent": record.is_finalize,
    }


@lru_cache(maxsize=256)
def _retry_options(retry: RetryPolicy) -> msgspec.Raw | None:
    """Kept, because the executions of a task share their options."""
    options: dict[str, object] = {
        "maxAttempts": retry.max_retries,
        "baseDelayMs": retry.base_delay_ms,
        "delayMultiplier": retry.delay_multiplier,
    }
    if retry.max_delay_ms is not None:
        options["maxDelayMs"] = retry.max_delay_ms
    return encoded_part("retryOptions", dumps(options), [])
