from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from durable_execution._core import transitions
from durable_execution._core.patch import patched
from durable_execution._core.status import STATUSES, Status
from durable_execution._core.transitions import MOVES, IllegalTransitionError, Move
from tests._core.acts import ACTS, ERROR
from tests._core.records import NOW, changed_fields, parked, record_in, sleeper_in

# Written out from what the system promises, not from the table under test.
LEGAL: dict[Move, tuple[set[str], set[str]]] = {
    "claim": ({"ready"}, {"running"}),
    "complete": ({"running"}, {"completed"}),
    "fail": ({"running"}, {"failed", "timed_out", "cancelled"}),
    "retry": ({"running"}, {"ready"}),
    "hand_back": ({"running"}, {"ready"}),
    "rescue": ({"running"}, {"ready"}),
    "park": ({"running"}, {"running"}),
    "extend": ({"running"}, {"running"}),
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
    "run_again": ({"failed", "timed_out", "cancelled"}, {"ready", "running"}),
    "wait_again": (
        {"finalize_failed", "cancelled"},
        {"waiting_for_children", "waiting_for_finalize"},
    ),
}
ONLY_SLEEPERS = {"wake_up", "expire"}
ONLY_PARKED = {"extend"}
PARKED_TOO = {"complete", "fail", "retry", "cancel", "extend"}
EVERYBODY = {"cancel", "run_again"}


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
    fits_kind = move not in ONLY_PARKED
    fits_kind = fits_kind and (move in EVERYBODY or (move in ONLY_SLEEPERS) == sleeps)
    # A sleeper never waits for children, so the moves of waiting rows need not tell it apart.
    fits_kind = fits_kind or status.startswith("waiting")
    if status in sources and fits_kind:
        assert run(record).status in targets
    else:
        with pytest.raises(IllegalTransitionError, match="te_1 cannot"):
            run(record)


@pytest.mark.parametrize("act", ACTS)
def test_a_parked_row_is_ended_and_extended_and_nothing_else(act: str) -> None:
    move, run = ACTS[act]
    if move in PARKED_TOO:
        assert run(parked()).status in LEGAL[move][1]
    else:
        with pytest.raises(IllegalTransitionError, match="te_1 cannot"):
            run(parked())


def test_a_parked_row_belongs_to_nobody_and_keeps_its_fence_and_its_start() -> None:
    record = record_in("running")
    assert changed_fields(record, ACTS["park"][1](record)) == {
        "executor_id": None,
        "sleeping_unique_id": "durable-execution:te_1",
        "expires_at": NOW + 9_000,
        "updated_at": NOW,
    }


@pytest.mark.parametrize("act", ["park", "extend"])
def test_no_lease_is_longer_than_the_attempt(act: str) -> None:
    record = (record_in if act == "park" else lambda _, **changes: parked(**changes))(
        "running", started_at=1_000, timeout_ms=12_345
    )
    assert ACTS[act][1](record).expires_at == 13_345


@pytest.mark.parametrize(("before", "after"), [(13_999, 14_000), (14_001, 14_001)])
def test_a_lease_is_never_shortened(before: int, after: int) -> None:
    assert ACTS["extend"][1](parked(expires_at=before)).expires_at == after


def test_a_park_that_comes_again_changes_nothing_of_an_extension() -> None:
    late = transitions.park(record_in("running"), lease_ms=9_000, now=NOW)
    extended = parked(expires_at=NOW + 30_000)
    assert changed_fields(extended, patched(extended, late.patch)) == {"updated_at": NOW}


def test_a_parked_row_that_is_tried_again_can_be_claimed() -> None:
    row = ACTS["retry"][1](parked())
    assert (row.status, row.sleeping_unique_id, row.fence) == ("ready", None, 4)
    assert transitions.claimed(row, executor_id="new", now=NOW + 9).fence == 5


@pytest.mark.parametrize(
    ("act", "words"), [("rescue", "it is parked"), ("extend", "it is not parked")]
)
def test_an_illegal_move_says_whether_the_row_is_parked(act: str, words: str) -> None:
    record = parked() if act == "rescue" else record_in("running")
    with pytest.raises(IllegalTransitionError, match=f"while running: {words}$"):
        ACTS[act][1](record)


def test_a_row_that_was_never_claimed_cannot_be_parked() -> None:
    with pytest.raises(IllegalTransitionError, match="never claimed"):
        transitions.park(record_in("running", started_at=None), lease_ms=1, now=NOW)


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
        (
            "run again",
            "failed",
            False,
            {
                "status": "ready",
                "fence": 5,
                "executor_id": None,
                "attempt": 0,
                "crash_count": 0,
                "start_at": NOW,
                "started_at": None,
                "expires_at": None,
                "finished_at": None,
            },
        ),
        (
            "run again",
            "timed_out",
            True,
            {
                "status": "running",
                "fence": 1,
                "attempt": 0,
                "crash_count": 0,
                "start_at": NOW,
                "started_at": NOW,
                "expires_at": NOW + 60_000,
                "finished_at": None,
                "error": None,
            },
        ),
        (
            "wait again",
            "finalize_failed",
            False,
            {
                "status": "waiting_for_children",
                "fence": 5,
                "attempt": 0,
                "crash_count": 0,
                "waiting_for_children_at": 2_500,
                "active_children_count": 2,
                "finished_at": None,
                "error": None,
            },
        ),
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
