from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import get_args

import pytest

from durable_execution._core import transitions
from durable_execution._core.patch import Transition, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import STATUSES, UNFINISHED, Status
from durable_execution._core.transitions import MOVES, IllegalTransitionError, Move
from durable_execution.errors import StoredError
from tests._core.records import NOW, OLD_ERROR, changed_fields, record_in, sleeper_in

ERROR = StoredError(message="no")
CHILD = record_in("ready", execution_id="te_child", parent_execution_id="te_1")
FINALIZE = record_in("ready", execution_id="te_last", parent_execution_id="te_1", is_finalize=True)

# Written out from what the system promises, not from the table under test.
LEGAL: dict[Move, tuple[set[str], set[str]]] = {
    "claim": ({"ready"}, {"running"}),
    "complete": ({"running"}, {"completed"}),
    "fail": ({"running"}, {"failed", "timed_out", "cancelled"}),
    "retry": ({"running"}, {"ready"}),
    "hand_back": ({"running"}, {"ready"}),
    "rescue": ({"running"}, {"ready"}),
    "spawn": ({"running"}, {"waiting_for_children"}),
    "advance": ({"waiting_for_children"}, {"waiting_for_children"}),
    "finalize": ({"waiting_for_children"}, {"waiting_for_finalize"}),
    "join": ({"waiting_for_children", "waiting_for_finalize"}, {"completed"}),
    "fail_to_join": ({"waiting_for_children", "waiting_for_finalize"}, {"finalize_failed"}),
    "wake_up": ({"running"}, {"completed", "failed"}),
    "expire": ({"running"}, {"timed_out"}),
    "cancel": (
        {"ready", "running", "waiting_for_children", "waiting_for_finalize"},
        {"cancelled"},
    ),
}
ONLY_SLEEPERS = {"wake_up", "expire"}
EVERYBODY = {"cancel"}

Act = Callable[[ExecutionRecord], ExecutionRecord]


def _by(make: Callable[[ExecutionRecord], Transition]) -> Act:
    return lambda record: patched(record, make(record).patch)


ACTS: dict[str, tuple[Move, Act]] = {
    "claim": ("claim", lambda row: transitions.claimed(row, executor_id="new", now=NOW)),
    "complete": ("complete", _by(lambda row: transitions.complete(row, output=b"x", now=NOW))),
    "fail": (
        "fail",
        _by(lambda row: transitions.fail(row, status="failed", error=ERROR, now=NOW)),
    ),
    "time out": (
        "fail",
        _by(lambda row: transitions.fail(row, status="timed_out", error=ERROR, now=NOW)),
    ),
    "give up": (
        "fail",
        _by(lambda row: transitions.fail(row, status="cancelled", error=ERROR, now=NOW)),
    ),
    "retry": (
        "retry",
        _by(lambda row: transitions.retry(row, error=ERROR, start_at=NOW + 9, now=NOW)),
    ),
    "hand_back": ("hand_back", _by(lambda row: transitions.hand_back(row, now=NOW))),
    "rescue": ("rescue", _by(lambda row: transitions.rescue(row, now=NOW))),
    "spawn": (
        "spawn",
        _by(lambda row: transitions.spawn(row, run_output=b"r", children=(CHILD,), now=NOW)),
    ),
    "advance": ("advance", _by(lambda row: transitions.advance(row, child=CHILD, now=NOW))),
    "finalize": ("finalize", _by(lambda row: transitions.finalize(row, child=FINALIZE, now=NOW))),
    "join": ("join", _by(lambda row: transitions.join(row, output=b"x", now=NOW))),
    "fail_to_join": (
        "fail_to_join",
        _by(lambda row: transitions.fail_to_join(row, error=ERROR, now=NOW)),
    ),
    "wake up well": (
        "wake_up",
        _by(lambda row: transitions.wake_up(row, output=b"x", error=None, now=NOW)),
    ),
    "wake up badly": (
        "wake_up",
        _by(lambda row: transitions.wake_up(row, output=None, error=ERROR, now=NOW)),
    ),
    "expire": ("expire", _by(lambda row: transitions.expire(row, error=ERROR, now=NOW))),
    "cancel": ("cancel", _by(lambda row: transitions.cancel(row, error=ERROR, now=NOW))),
    "cancel with ancestor": (
        "cancel",
        lambda row: transitions.cancelled_with_ancestor(row, error=ERROR, now=NOW),
    ),
}


def test_the_table_holds_every_move_and_nothing_else() -> None:
    assert set(MOVES) == set(get_args(Move)) == set(LEGAL)
    assert {move: (set(law.sources), set(law.targets)) for move, law in MOVES.items()} == LEGAL


def test_every_move_has_an_act_in_these_tests() -> None:
    assert {move for move, _ in ACTS.values()} == set(LEGAL)


@pytest.mark.parametrize(("act", "status"), list(product(ACTS, sorted(STATUSES))))
@pytest.mark.parametrize("sleeps", [False, True])
def test_a_move_is_legal_exactly_where_the_law_says(act: str, status: Status, sleeps: bool) -> None:
    move, run = ACTS[act]
    record = (sleeper_in if sleeps else record_in)(status)
    sources, targets = LEGAL[move]
    fits_kind = move in EVERYBODY or (move in ONLY_SLEEPERS) == sleeps
    # A sleeper never waits for children, so the moves of waiting rows need not tell it apart.
    fits_kind = fits_kind or status.startswith("waiting")
    if status in sources and fits_kind:
        assert run(record).status in targets
    else:
        with pytest.raises(IllegalTransitionError, match="te_1 cannot"):
            run(record)


@pytest.mark.parametrize(
    ("act", "status", "is_sleeper", "expected"),
    [
        (
            "claim",
            "ready",
            False,
            {
                "status": "running",
                "executor_id": "new",
                "fence": 5,
                "started_at": NOW,
                "expires_at": NOW + 60_000,
            },
        ),
        (
            "complete",
            "running",
            False,
            {"status": "completed", "output": b"x", "error": None, "finished_at": NOW},
        ),
        ("fail", "running", False, {"status": "failed", "error": ERROR, "finished_at": NOW}),
        ("time out", "running", False, {"status": "timed_out", "error": ERROR, "finished_at": NOW}),
        ("give up", "running", False, {"status": "cancelled", "error": ERROR, "finished_at": NOW}),
        (
            "retry",
            "running",
            False,
            {
                "status": "ready",
                "executor_id": None,
                "start_at": NOW + 9,
                "started_at": None,
                "expires_at": None,
                "attempt": 2,
                "error": ERROR,
            },
        ),
        (
            "hand_back",
            "running",
            False,
            {
                "status": "ready",
                "executor_id": None,
                "start_at": NOW,
                "started_at": None,
                "expires_at": None,
            },
        ),
        (
            "rescue",
            "running",
            False,
            {
                "status": "ready",
                "executor_id": None,
                "start_at": NOW,
                "started_at": None,
                "expires_at": None,
                "crash_count": 2,
            },
        ),
        (
            "spawn",
            "running",
            False,
            {
                "status": "waiting_for_children",
                "fence": 5,
                "error": None,
                "run_output": b"r",
                "children_count": 1,
                "active_children_count": 1,
                "waiting_for_children_at": NOW,
            },
        ),
        (
            "advance",
            "waiting_for_children",
            False,
            {"fence": 5, "children_count": 3, "active_children_count": 1},
        ),
        (
            "finalize",
            "waiting_for_children",
            False,
            {
                "status": "waiting_for_finalize",
                "fence": 5,
                "active_children_count": 1,
                "waiting_for_finalize_at": NOW,
            },
        ),
        (
            "join",
            "waiting_for_finalize",
            False,
            {"status": "completed", "output": b"x", "finished_at": NOW},
        ),
        (
            "fail_to_join",
            "waiting_for_children",
            False,
            {"status": "finalize_failed", "error": ERROR, "finished_at": NOW},
        ),
        (
            "wake up well",
            "running",
            True,
            {"status": "completed", "output": b"x", "error": None, "finished_at": NOW},
        ),
        (
            "wake up badly",
            "running",
            True,
            {"status": "failed", "error": ERROR, "finished_at": NOW},
        ),
        ("expire", "running", True, {"status": "timed_out", "error": ERROR, "finished_at": NOW}),
        ("cancel", "ready", False, {"status": "cancelled", "error": ERROR, "finished_at": NOW}),
    ],
)
def test_a_move_changes_these_fields_and_no_other(
    act: str, status: Status, is_sleeper: bool, expected: dict[str, object]
) -> None:
    record = (sleeper_in if is_sleeper else record_in)(status)
    assert changed_fields(record, ACTS[act][1](record)) == {"updated_at": NOW, **expected}


@pytest.mark.parametrize("act", ["cancel", "cancel with ancestor"])
def test_cancelling_a_waiting_row_clears_its_count(act: str) -> None:
    record = record_in("waiting_for_children", active_children_count=2)
    assert changed_fields(record, ACTS[act][1](record)) == {
        "status": "cancelled",
        "error": ERROR,
        "finished_at": NOW,
        "updated_at": NOW,
        "active_children_count": 0,
    }


@pytest.mark.parametrize("act", ["advance", "finalize", "join", "fail_to_join"])
def test_a_row_with_active_children_cannot_be_joined(act: str) -> None:
    record = record_in("waiting_for_children", active_children_count=1)
    with pytest.raises(IllegalTransitionError, match="1 children have not ended"):
        ACTS[act][1](record)


def test_a_row_is_not_claimed_before_its_time() -> None:
    record = record_in("ready", start_at=NOW)
    with pytest.raises(IllegalTransitionError, match=f"starts at {NOW}, not {NOW - 1}"):
        transitions.claimed(record, executor_id="new", now=NOW - 1)
    assert transitions.claimed(record, executor_id="new", now=NOW).status == "running"


@pytest.mark.parametrize(("sleeps", "words"), [(True, "it sleeps"), (False, "it does not sleep")])
def test_an_illegal_move_says_which_kind_of_row_it_needs(sleeps: bool, words: str) -> None:
    record = (sleeper_in if sleeps else record_in)("running")
    with pytest.raises(IllegalTransitionError, match=f"while running: {words}$"):
        ACTS["complete" if sleeps else "expire"][1](record)


def test_an_attempt_cannot_fail_into_a_status_that_is_no_failure_of_its_own() -> None:
    with pytest.raises(IllegalTransitionError, match=r"it may not become finalize_failed$"):
        transitions.fail(record_in("running"), status="finalize_failed", error=ERROR, now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", sorted(UNFINISHED))
def test_every_guard_names_the_row_its_status_and_its_fence(status: Status) -> None:
    record = record_in(status)
    guard = transitions.cancel(record, error=ERROR, now=NOW).guard
    assert (guard.execution_id, guard.status, guard.fence) == ("te_1", status, 4)
    assert guard.must_be_joinable == record.is_joinable


@pytest.mark.parametrize("act", ["advance", "finalize"])
def test_a_step_of_a_waiting_row_inserts_the_child_and_counts_nothing_off(act: str) -> None:
    make = transitions.advance if act == "advance" else transitions.finalize
    transition = make(record_in("waiting_for_children"), child=CHILD, now=NOW)
    assert transition.children == (CHILD,)
    assert transition.counts_off is None
    assert transition.cancels_descendants is None
    assert transition.guard.must_be_joinable


def test_a_spawn_inserts_and_counts_all_its_children() -> None:
    transition = transitions.spawn(
        record_in("running"), run_output=b"r", children=(CHILD, FINALIZE), now=NOW
    )
    assert transition.children == (CHILD, FINALIZE)
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
