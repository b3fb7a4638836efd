from __future__ import annotations

import msgspec
import pytest

from durable_execution._core import transitions
from durable_execution._core.patch import joined_by, patched
from durable_execution._core.status import UNFINISHED, WAITING, Status
from tests._core.acts import ACTS, CHILD, ERROR, FINALIZE, STEP
from tests._core.records import NOW, OLD_ERROR, record_in, sleeper_in


@pytest.mark.parametrize("status", sorted(UNFINISHED))
def test_every_guard_names_the_row_its_status_and_its_fence(status: Status) -> None:
    record = record_in(status)
    guard = transitions.cancel(record, error=ERROR, now=NOW).guard
    assert (guard.execution_id, guard.status, guard.fence) == ("te_1", status, 4)
    assert not guard.must_be_joinable
    assert guard.children_count == (record.children_count if record.status in WAITING else None)


@pytest.mark.parametrize("act", ["advance", "finalize"])
def test_a_step_of_a_waiting_row_inserts_the_child_and_counts_nothing_off(act: str) -> None:
    make = transitions.advance if act == "advance" else transitions.finalize
    child = STEP if act == "advance" else FINALIZE
    transition = make(record_in("waiting_for_children"), child=child, now=NOW)
    assert transition.children == (child,)
    assert transition.counts_off is None
    assert transition.cancels_descendants is None
    assert transition.guard.must_be_joinable


def test_a_spawn_inserts_and_counts_all_its_children() -> None:
    second = msgspec.structs.replace(CHILD, execution_id="te_second", index_in_parent=1)
    transition = transitions.spawn(
        record_in("running"), run_output=b"r", children=(CHILD, second), now=NOW
    )
    assert transition.children == (CHILD, second)
    after = patched(record_in("running"), transition.patch)
    assert (after.children_count, after.active_children_count) == (2, 2)


def test_a_spawn_without_children_is_joinable_at_once() -> None:
    record = record_in("running")
    transition = transitions.spawn(record, run_output=b"r", children=(), now=NOW)
    assert transition.children == ()
    assert patched(record, transition.patch).is_joinable


def test_only_what_ends_a_row_counts_it_off_its_parent() -> None:
    running, waiting, sleeper = (
        record_in("running"),
        record_in("waiting_for_children"),
        sleeper_in("running"),
    )
    ends = [
        transitions.complete(running, output=b"x", now=NOW),
        transitions.fail(running, status="failed", error=ERROR, now=NOW),
        transitions.join(waiting, output=b"x", now=NOW),
        transitions.fail_to_join(waiting, error=ERROR, now=NOW),
        transitions.wake_up(sleeper, output=b"x", error=None, now=NOW),
        transitions.expire(sleeper, error=ERROR, now=NOW),
        transitions.cancel(running, error=ERROR, now=NOW),
    ]
    others = [
        transitions.retry(running, error=ERROR, start_at=NOW, now=NOW),
        transitions.hand_back(running, now=NOW),
        transitions.rescue(running, now=NOW),
        transitions.spawn(running, run_output=b"r", children=(CHILD,), now=NOW),
    ]
    assert {transition.counts_off for transition in ends} == {"te_parent"}
    assert {transition.counts_off for transition in others} == {None}


def test_only_a_cancel_cascades_and_with_its_own_error() -> None:
    record = record_in("waiting_for_children")
    assert transitions.cancel(record, error=ERROR, now=NOW).cancels_descendants == ERROR
    assert transitions.fail_to_join(record, error=ERROR, now=NOW).cancels_descendants is None


def test_rescue_and_hand_back_keep_the_error_of_the_attempt_before() -> None:
    record = record_in("running")
    assert ACTS["rescue"][1](record).error == OLD_ERROR
    assert ACTS["hand_back"][1](record).error == OLD_ERROR


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parent_execution_id": "te_other"}, "is not its child"),
        ({"index_in_parent": 3}, "child 3 was given for place 2"),
        ({"is_finalize": True}, "a finalize child is no other child"),
    ],
)
def test_a_child_that_does_not_come_next_is_refused(change: dict[str, object], reason: str) -> None:
    child = msgspec.structs.replace(STEP, **change)
    with pytest.raises(transitions.IllegalTransitionError, match=reason):
        transitions.advance(record_in("waiting_for_children"), child=child, now=NOW)


def test_a_parent_joins_with_the_child_that_it_waits_for_alone() -> None:
    parent = record_in("waiting_for_children")
    ready = msgspec.structs.replace(parent, active_children_count=0)
    child = msgspec.structs.replace(record_in("running"), parent_execution_id=parent.execution_id)
    end = transitions.complete(child, output=b"1", now=NOW)
    move = transitions.joining(end, transitions.join(ready, output=b"2", now=NOW))
    assert move.joins is not None
    alone = msgspec.structs.replace(parent, active_children_count=1)
    crowded = msgspec.structs.replace(parent, active_children_count=2)
    stale = msgspec.structs.replace(alone, fence=parent.fence + 1)
    assert [joined_by(move, each) for each in (alone, crowded, stale, None)] == [True, *[False] * 3]
    assert not joined_by(end, alone)


def test_only_the_parent_of_a_child_joins_with_it() -> None:
    ready = msgspec.structs.replace(record_in("waiting_for_children"), active_children_count=0)
    join = transitions.join(ready, output=b"2", now=NOW)
    stranger = transitions.complete(record_in("running"), output=b"1", now=NOW)
    with pytest.raises(ValueError, match="does not join"):
        transitions.joining(stranger, join)


def test_what_was_claimed_in_advance_is_ready_again() -> None:
    row = msgspec.structs.replace(
        record_in("ready"), fence=0, executor_id=None, started_at=None, expires_at=None
    )
    row = msgspec.structs.replace(row, updated_at=row.created_at)
    claimed = transitions.claimed(row, executor_id="de_1", now=max(NOW, row.start_at))
    assert transitions.unclaimed(claimed) == row
