"""What is run again of a tree that has failed, and what is kept; `test_trees` does it at random."""

from __future__ import annotations

import pytest

from durable_execution._core.record import PARKED_PREFIX, ExecutionRecord
from durable_execution._core.reopening import (
    NO_FAMILY,
    Family,
    Reopening,
    new_finalize_index,
    reopen,
)
from durable_execution._core.status import Status
from durable_execution._core.transitions import IllegalTransitionError
from tests._core.records import NOW, OLD_ERROR, record_in, sleeper_in

FAILED = record_in("failed", execution_id="te_failed")
FAILED_FINALIZE = record_in("failed", execution_id="te_finalize", is_finalize=True)
GOOD_FINALIZE = record_in("completed", execution_id="te_finalize", is_finalize=True)


def reopened(record: ExecutionRecord, family: Family = NO_FAMILY) -> Reopening:
    found = reopen(record, family, now=NOW)
    assert isinstance(found, Reopening)
    return found


def spawned(status: Status, **changes: object) -> ExecutionRecord:
    return record_in(status, **{"waiting_for_children_at": 2_500, "children_count": 2, **changes})


@pytest.mark.parametrize("status", ["failed", "timed_out", "cancelled"])
def test_what_has_no_children_runs_again_with_whole_budgets_and_its_error(status: Status) -> None:
    found = reopened(record_in(status))
    assert (found.after.status, found.after.fence, found.repeated) == ("ready", 5, ())
    assert (found.after.attempt, found.after.crash_count) == (0, 0)
    assert found.after.error == OLD_ERROR


def test_what_was_parked_is_ready_and_gives_its_sleeping_id_free() -> None:
    after = reopened(record_in("failed", sleeping_unique_id=f"{PARKED_PREFIX}te_1")).after
    assert (after.status, after.sleeping_unique_id) == ("ready", None)


def test_what_slept_sleeps_again_under_its_id_and_can_be_told_from_what_is_parked() -> None:
    after = reopened(sleeper_in("timed_out")).after
    assert (after.status, after.sleeping_unique_id) == ("running", "bed")
    assert (after.is_sleeping, after.is_parked) == (True, False)


def test_a_parent_waits_for_the_children_that_failed_and_for_no_other() -> None:
    found = reopened(spawned("cancelled"), Family(children_count=2, failed=(FAILED,)))
    assert (found.after.status, found.after.active_children_count) == ("waiting_for_children", 1)
    assert found.repeated == (FAILED,)


def test_a_parent_whose_children_all_completed_is_joinable_at_once() -> None:
    found = reopened(spawned("cancelled"), Family(children_count=2))
    assert found.after.is_joinable
    assert found.repeated == ()


def test_a_finalize_child_that_failed_over_good_children_runs_again() -> None:
    parent = spawned("finalize_failed", waiting_for_finalize_at=2_700)
    found = reopened(parent, Family(children_count=2, finalize=FAILED_FINALIZE))
    assert (found.after.status, found.after.active_children_count) == ("waiting_for_finalize", 1)
    assert found.repeated == (FAILED_FINALIZE,)


def test_a_finalize_child_that_saw_failures_is_followed_by_another_one() -> None:
    parent = spawned("finalize_failed", waiting_for_finalize_at=2_700)
    family = Family(children_count=2, failed=(FAILED,), finalize=FAILED_FINALIZE)
    found = reopened(parent, family)
    assert (found.after.status, found.repeated) == ("waiting_for_children", (FAILED,))
    assert new_finalize_index(found.after) > FAILED_FINALIZE.index_in_parent


def test_what_a_finalize_child_has_settled_is_kept_with_the_failures_that_it_saw() -> None:
    family = Family(children_count=2, failed=(FAILED,), finalize=GOOD_FINALIZE)
    found = reopened(spawned("cancelled", waiting_for_finalize_at=2_700), family)
    assert (found.after.status, found.repeated) == ("waiting_for_finalize", ())
    assert found.after.is_joinable


def test_a_tree_of_which_children_are_missing_is_refused() -> None:
    assert reopen(spawned("cancelled"), Family(children_count=1), now=NOW) == "cut"


@pytest.mark.parametrize("status", ["completed", "running", "ready"])
def test_what_has_not_failed_cannot_be_reopened(status: Status) -> None:
    with pytest.raises(IllegalTransitionError):
        reopen(record_in(status), NO_FAMILY, now=NOW)


def test_the_first_finalize_child_has_the_first_place() -> None:
    assert new_finalize_index(record_in("waiting_for_children")) == 0
