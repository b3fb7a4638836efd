"""Views on the wire, field by field as the reference's `TaskExecution` union declares them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest

from durable_execution import (
    CancelledTaskExecution,
    CompletedTaskExecution,
    InvalidInputError,
    StoredError,
    TaskExecution,
    declare_task,
)
from durable_execution._codec import ValidationFailed, dumps, loads
from durable_execution._core.past import Attempt, Past
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryPolicy
from durable_execution._core.status import FINISHED, STATUSES, Status
from durable_execution._engine.viewing import view_of
from durable_execution.remote.wire import finished_view_from_wire, view_from_wire
from durable_execution.remote.wire_view import wire_view

TASK = declare_task("task", input=dict[str, datetime], output=set[int])
AT = datetime(1970, 1, 1, 0, 0, 5, 1_000, tzinfo=UTC)
ERROR = StoredError(
    error_type="timed_out", message="too slow", is_retryable=True, is_internal=False
)

FULL = ExecutionRecord(
    execution_id="te_1",
    task_id="task",
    root_task_id="root_task",
    root_execution_id="te_root",
    parent_task_id="parent_task",
    parent_execution_id="te_parent",
    index_in_parent=3,
    is_only_child=True,
    sleeping_unique_id="order 1",
    retry=RetryPolicy(max_retries=3, base_delay_ms=100, delay_multiplier=1.5, max_delay_ms=2500),
    sleep_before_run_ms=7,
    timeout_ms=60_000,
    are_children_sequential=True,
    status="ready",
    fence=0,
    executor_id="de_1",
    attempt=2,
    crash_count=1,
    start_at=1_001,
    created_at=901,
    updated_at=9_001,
    started_at=2_001,
    expires_at=62_001,
    waiting_for_children_at=3_001,
    waiting_for_finalize_at=4_001,
    finished_at=5_001,
    children_count=1,
    active_children_count=1,
    input=dumps({"due": AT}),
    run_output=dumps("never shown"),
    output=dumps({5}),
    error=ERROR,
)
CHILD = ExecutionRecord(
    execution_id="te_2",
    task_id="child",
    timeout_ms=1,
    status="ready",
    start_at=1,
    created_at=1,
    updated_at=1,
    input=b"",
)
FINALIZE = msgspec.structs.replace(
    CHILD, execution_id="te_3", task_id="task_finalize", is_finalize=True
)


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC).replace(
        second=milliseconds // 1000 % 60,
        minute=milliseconds // 60_000,
        microsecond=milliseconds % 1000 * 1000,
    )


EVERY: dict[str, object] = {
    "root": {"taskId": "root_task", "executionId": "te_root"},
    "parent": {
        "taskId": "parent_task",
        "executionId": "te_parent",
        "indexInParentChildren": 3,
        "isOnlyChildOfParent": True,
        "isFinalizeOfParent": False,
    },
    "taskId": "task",
    "executionId": "te_1",
    "sleepingTaskUniqueId": "order 1",
    "areChildrenSequential": True,
    "retryOptions": {
        "maxAttempts": 3,
        "baseDelayMs": 100,
        "delayMultiplier": 1.5,
        "maxDelayMs": 2500,
    },
    "sleepMsBeforeRun": 7,
    "timeoutMs": 60_000,
    "input": {"due": AT},
    "retryAttempts": 2,
    "startAt": at(1_001),
    "createdAt": at(901),
    "updatedAt": at(9_001),
}
FACTS: dict[str, object] = {
    "executorId": "de_1",
    "error": {
        "errorType": "timed_out",
        "message": "too slow",
        "isRetryable": True,
        "isInternal": False,
    },
    "startedAt": at(2_001),
    "expiresAt": at(62_001),
    "waitingForChildrenStartedAt": at(3_001),
    "waitingForFinalizeStartedAt": at(4_001),
    "finishedAt": at(5_001),
    "children": [{"taskId": "child", "executionId": "te_2"}],
    "activeChildrenCount": 1,
    "finalize": {"taskId": "task_finalize", "executionId": "te_3"},
    "output": {5},
}
STARTED = {"startedAt", "expiresAt"}
WAITING = {*STARTED, "waitingForChildrenStartedAt", "children", "activeChildrenCount"}
JOINED = {*WAITING, "waitingForFinalizeStartedAt", "finalize"}
SHOWN: dict[Status, set[str]] = {
    "ready": {"error"},
    "running": {*STARTED, "executorId", "error"},
    "failed": {*STARTED, "error", "finishedAt"},
    "timed_out": {*STARTED, "error", "finishedAt"},
    "waiting_for_children": WAITING,
    "waiting_for_finalize": JOINED,
    "finalize_failed": {*JOINED, "error", "finishedAt"},
    "completed": {*JOINED, "output", "finishedAt"},
    "cancelled": {*JOINED, "error", "executorId", "finishedAt"},
}


def sent(record: ExecutionRecord, children: Sequence[ExecutionRecord] = ()) -> dict[str, Any]:
    """What a client decodes."""
    value: dict[str, Any] = loads(dumps(wire_view(record, children)))
    return value


def record_in(status: Status, **changes: object) -> ExecutionRecord:
    return msgspec.structs.replace(FULL, status=status, **changes)


def test_every_status_is_in_the_table() -> None:
    assert SHOWN.keys() == STATUSES


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_status_shows_exactly_the_references_fields(status: Status) -> None:
    expected = {**EVERY, "status": status, **{name: FACTS[name] for name in SHOWN[status]}}

    view = sent(record_in(status), [CHILD, FINALIZE])

    assert view.keys() == expected.keys()
    for name, value in view.items():
        assert (set(value) if name == "output" else value) == expected[name], name


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_fields_without_a_value_are_left_out(status: Status) -> None:
    bare = msgspec.structs.replace(
        CHILD, status=status, input=dumps(None), output=dumps(None), task_id="task"
    )

    view = sent(bare)

    optional = {"root", "parent", "sleepingTaskUniqueId", *FACTS}
    always = {"children", "activeChildrenCount", "output"}
    assert view.keys() == (EVERY.keys() - optional) | {"status"} | (SHOWN[status] & always)
    assert "maxDelayMs" not in view["retryOptions"]
    assert view["input"] is None


def test_instants_are_dates_and_not_text() -> None:
    payload = msgspec.json.decode(dumps(wire_view(record_in("completed"), [CHILD, FINALIZE])))

    dates = {tuple(path) for tag, *path in payload["meta"] if tag == 1}
    expected = {name for name in (*EVERY, *SHOWN["completed"]) if name.endswith("At")}
    assert dates == {(name,) for name in expected} | {("input", "due")}


def test_undefined_output_is_left_out() -> None:
    assert "output" not in sent(record_in("completed", output=dumps_of_nothing()))


def dumps_of_nothing() -> bytes:
    return b"{}"


def test_halves_of_surrogate_pairs_pass() -> None:
    error = msgspec.structs.replace(ERROR, message="half \ud83d")

    view = sent(record_in("cancelled", error=error), [CHILD, FINALIZE])

    assert view["error"]["message"] == "half \ud83d"
    assert view.keys() == sent(record_in("cancelled"), [CHILD, FINALIZE]).keys()


def test_input_of_a_finalize_task_is_left_out() -> None:
    view = sent(record_in("running", is_finalize=True))

    assert "input" not in view
    assert view["parent"]["isFinalizeOfParent"] is True


def test_parked_execution_shows_neither_an_executor_nor_an_id_of_a_sleeper() -> None:
    parked = record_in(
        "running", executor_id=None, fence=4, sleeping_unique_id="durable-execution:te_1"
    )

    assert not {"executorId", "sleepingTaskUniqueId"} & sent(parked).keys()


def test_sleeping_execution_shows_no_executor() -> None:
    assert "executorId" not in sent(record_in("running", executor_id=None))


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_client_reads_the_view_that_the_executor_shows(status: Status) -> None:
    record = record_in(status)
    family = [CHILD, FINALIZE]
    shown = view_of(record, TASK, family)
    if status in ("failed", "timed_out"):
        # The reference shows no children here: such executions never had any.
        record = record_in(status, waiting_for_children_at=None, waiting_for_finalize_at=None)
        family = []
        shown = view_of(msgspec.structs.replace(record, active_children_count=0), TASK)
    if status == "finalize_failed":
        assert isinstance(shown, get_args(TaskExecution)[-2])

    assert view_from_wire(sent(record, family), TASK) == shown


def test_past_attempts_are_shown_where_there_are_any() -> None:
    secret = msgspec.structs.replace(ERROR, traceback="File …", cause="why")
    past = Past(
        (
            Attempt(
                attempt=0,
                outcome="timed_out",
                started_at=1_001,
                ended_at=2_002,
                executor_id="de_0",
                error=secret,
            ),
            Attempt(attempt=1, outcome="crashed", started_at=3_003, ended_at=4_004),
        ),
        22,
    )
    record = record_in("ready")
    view = loads(wire_view(record, (), past).payload)

    assert isinstance(view, dict)
    assert view["pastAttemptsCount"] == 22
    assert view["pastAttempts"][0]["endedAt"] == datetime(1970, 1, 1, 0, 0, 2, 2_000, tzinfo=UTC)
    assert view["pastAttempts"][0]["error"].keys() == {
        *("errorType", "message", "isRetryable", "isInternal")
    }
    assert view["pastAttempts"][1].keys() == {"retryAttempts", "outcome", "startedAt", "endedAt"}
    public = msgspec.structs.replace(past.attempts[0], error=ERROR)
    shown = view_of(record, TASK, (), Past((public, past.attempts[1]), 22))
    assert view_from_wire(view, TASK) == shown
    assert not {"pastAttempts", "pastAttemptsCount"} & sent(record).keys()


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_finished_view_is_none_while_unfinished(status: Status) -> None:
    view = finished_view_from_wire(sent(record_in(status), [CHILD, FINALIZE]), TASK)

    assert (view is not None) == (status in FINISHED)


def test_output_has_the_declared_type() -> None:
    view = view_from_wire(sent(record_in("completed")), TASK)

    assert isinstance(view, CompletedTaskExecution)
    assert type(view.output) is set


def test_field_that_nobody_knows_is_passed_over() -> None:
    view = sent(record_in("cancelled")) | {"priority": 7}

    assert isinstance(view_from_wire(view, TASK), CancelledTaskExecution)


def test_optional_fields_may_be_undefined_in_an_answer_of_the_reference() -> None:
    view = sent(record_in("cancelled"))
    for name in ("root", "parent", "executorId", "startedAt", "expiresAt", "finalize"):
        view.pop(name, None)

    execution = view_from_wire(view, TASK)

    assert isinstance(execution, CancelledTaskExecution)
    assert (execution.root, execution.started_at, execution.finalize) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"status": "paused"}, "status"),
        ({"status": []}, "status"),
        ({"startedAt": None}, "started_at"),
        ({"startedAt": "yesterday"}, "started_at"),
        ({"taskId": 1}, "task_id"),
        ({"timeoutMs": "1"}, "timeoutMs"),
        ({"retryOptions": None}, "retryOptions"),
        ({"retryOptions": {"maxAttempts": -1}}, "max_retries"),
        ({"children": 7}, "children"),
        ({"children": [7]}, "children"),
        ({"parent": 7}, "parent"),
    ],
)
def test_malformed_view_is_named(change: dict[str, object], named: str) -> None:
    view = sent(record_in("waiting_for_children"), [CHILD]) | change

    with pytest.raises(ValidationFailed, match=named):
        view_from_wire(view, TASK)


@pytest.mark.parametrize("value", [None, 7, "x", [], {}])
def test_value_that_is_no_view_is_refused(value: object) -> None:
    with pytest.raises(ValidationFailed):
        view_from_wire(value, TASK)


@pytest.mark.parametrize(
    ("name", "value"),
    [("input", {"due": 7}), ("output", ["not a number"])],
    ids=["input", "output"],
)
def test_value_of_another_type_names_the_field(name: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=rf"Invalid {name} of task task: {name}[.\[]"):
        view_from_wire(sent(record_in("completed")) | {name: value}, TASK)
