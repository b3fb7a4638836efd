from __future__ import annotations

import pytest

from durable_execution._core import joining
from durable_execution._core.joining import (
    Complete,
    CompleteWithChildren,
    FailToJoin,
    GiveUp,
    RunFinalize,
    RunStep,
    Turn,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED, Status
from durable_execution.errors import StoredError
from tests._core.records import record_in

CHILD = record_in("completed", index_in_parent=1, output=b"from child")


def _errored(status: Status, *, is_internal: bool = False) -> ExecutionRecord:
    error = StoredError(message="broken", is_retryable=True, is_internal=is_internal)
    return record_in(status, index_in_parent=1, error=error)


def test_a_parent_whose_children_ended_runs_its_finalize_task() -> None:
    parent = record_in("waiting_for_children")
    assert joining.join_parent(parent, None, has_finalize=True) == RunFinalize()


def test_a_parent_without_finalize_completes_whatever_its_children_came_to() -> None:
    parent = record_in("waiting_for_children")
    assert joining.join_parent(parent, None, has_finalize=False) == CompleteWithChildren()


def test_a_completed_finalize_task_gives_the_parent_its_output() -> None:
    parent = record_in("waiting_for_finalize")
    assert joining.join_parent(parent, CHILD, has_finalize=True) == Complete(b"from child")


@pytest.mark.parametrize("status", sorted(ERRORED))
def test_a_finalize_task_that_did_not_complete_fails_the_parent(status: Status) -> None:
    parent = record_in("waiting_for_finalize")
    verdict = joining.join_parent(parent, _errored(status), has_finalize=True)
    assert verdict == FailToJoin(StoredError(message="Finalize task failed: broken"))


def test_a_lost_finalize_row_fails_the_parent_instead_of_waiting_for_ever() -> None:
    parent = record_in("waiting_for_finalize")
    verdict = joining.join_parent(parent, None, has_finalize=True)
    assert verdict == FailToJoin(StoredError(message="Finalize task execution not found"))


def test_a_sequence_hands_each_output_to_the_next_step() -> None:
    parent = record_in("waiting_for_children")
    assert joining.join_sequence(parent, CHILD, steps=3) == RunStep(2, b"from child")


def test_a_sequence_completes_with_the_output_of_its_last_step() -> None:
    parent = record_in("waiting_for_children")
    assert joining.join_sequence(parent, CHILD, steps=2) == Complete(b"from child")


@pytest.mark.parametrize("status", sorted(ERRORED))
def test_a_sequence_ends_with_the_step_that_failed_and_names_it(status: Status) -> None:
    parent = record_in("waiting_for_children")
    verdict = joining.join_sequence(parent, _errored(status, is_internal=True), steps=3)
    assert verdict == FailToJoin(
        StoredError(
            message="Sequential task failed [parentTaskId=task] [index=1]: broken",
            is_internal=True,
        )
    )


def test_a_loop_that_is_done_completes_even_on_its_last_turn() -> None:
    assert joining.join_loop(CHILD, Turn(b"done"), max_attempts=2) == Complete(b"done")


def test_a_loop_that_is_not_done_takes_another_turn_on_the_same_input() -> None:
    assert joining.join_loop(CHILD, Turn(None), max_attempts=3) == RunStep(2, b"input")


def test_a_loop_out_of_turns_gives_up() -> None:
    assert joining.join_loop(CHILD, Turn(None), max_attempts=2) == GiveUp()


def test_a_loop_ends_with_the_turn_that_failed() -> None:
    verdict = joining.join_loop(_errored("timed_out"), None, max_attempts=3)
    message = "Iteration task failed [taskId=task]: broken"
    assert verdict == FailToJoin(StoredError(message=message))


def test_a_child_without_an_error_is_told_by_its_status() -> None:
    child = record_in("cancelled", error=None)
    verdict = joining.join_loop(child, None, max_attempts=3)
    assert isinstance(verdict, FailToJoin)
    assert verdict.error.message.endswith(": it ended as cancelled")


def test_the_last_child_is_the_one_with_the_highest_index_but_never_the_finalize_child() -> None:
    first, last = record_in("completed", index_in_parent=0), record_in("failed", index_in_parent=1)
    finalize = record_in("completed", index_in_parent=7, is_finalize=True)
    assert joining.last_of([first, finalize, last]) is last
