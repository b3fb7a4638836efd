from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution._core.past import NO_PAST, Attempt, Past
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryPolicy
from durable_execution.dashboard.spans import (
    MAX_LEVEL,
    Phase,
    duration_of,
    stretches_of,
    timeline_of,
    totals_of,
    wait_of,
)
from durable_execution.errors import StoredError
from tests.dashboard.rows import NOW, row


def _phases(
    record: ExecutionRecord, *, now: int, past: Past = NO_PAST
) -> list[tuple[Phase, int, int, bool]]:
    return [each[:4] for each in stretches_of(record, now=now, past=past)]


def test_an_execution_waits_runs_and_joins() -> None:
    record = row(
        status="completed",
        started_at=NOW + 5,
        waiting_for_children_at=NOW + 20,
        waiting_for_finalize_at=NOW + 90,
        finished_at=NOW + 100,
    )
    assert _phases(record, now=NOW + 999) == [
        ("queued", NOW, NOW + 5, False),
        ("running", NOW + 5, NOW + 20, False),
        ("children", NOW + 20, NOW + 90, False),
        ("finalize", NOW + 90, NOW + 100, False),
    ]
    assert duration_of(record) == 95
    assert wait_of(record) == 5


def test_what_is_under_way_goes_on_until_now() -> None:
    record = row(status="running", started_at=NOW, executor_id="de_1")
    assert _phases(record, now=NOW + 30) == [("running", NOW, NOW + 30, True)]


def test_a_start_in_the_future_is_a_delay_and_not_a_wait_for_executors() -> None:
    record = row(start_at=NOW + 1_000)
    assert _phases(record, now=NOW + 10) == [("delayed", NOW, NOW + 10, True)]


def test_sleeping_is_not_running() -> None:
    record = row(status="running", sleeping_unique_id="order-1", started_at=NOW)
    assert _phases(record, now=NOW + 1) == [("sleeping", NOW, NOW + 1, True)]
    assert wait_of(record) is None


def test_one_cancelled_before_it_started_has_only_waited() -> None:
    record = row(status="cancelled", finished_at=NOW + 7, start_at=NOW + 1_000)
    assert _phases(record, now=NOW + 999) == [("delayed", NOW, NOW + 7, False)]
    assert duration_of(record) is None


def _past(*attempts: tuple[int, str, int, int], count: int | None = None) -> Past:
    made = tuple(
        Attempt(attempt=number, outcome=outcome, started_at=NOW + begin, ended_at=NOW + end)  # type: ignore[arg-type] # an outcome
        for number, outcome, begin, end in attempts
    )
    return Past(made, len(made) if count is None else count)


def test_each_attempt_is_a_stretch_and_so_are_the_waits_between() -> None:
    record = row(
        status="completed",
        attempt=1,
        retry=RetryPolicy(max_retries=3, base_delay_ms=40),
        sleep_before_run_ms=5,
        start_at=NOW + 160,
        started_at=NOW + 170,
        finished_at=NOW + 200,
        fence=4,
    )
    past = _past((0, "crashed", 10, 30), (0, "handed_back", 35, 50), (0, "failed", 50, 50))
    assert _phases(record, now=NOW + 999, past=past) == [
        ("delayed", NOW, NOW + 5, False),
        ("queued", NOW + 5, NOW + 10, False),
        ("crashed", NOW + 10, NOW + 30, False),
        ("queued", NOW + 30, NOW + 35, False),
        ("handed_back", NOW + 35, NOW + 50, False),
        ("failed", NOW + 50, NOW + 50, False),
        ("delayed", NOW + 50, NOW + 160, False),
        ("queued", NOW + 160, NOW + 170, False),
        ("running", NOW + 170, NOW + 200, False),
    ]
    attempts = [each.attempt for each in stretches_of(record, past=past, now=NOW) if each.attempt]
    assert [each.outcome for each in attempts] == ["crashed", "handed_back", "failed", "completed"]


def test_pauses_between_attempts_are_those_of_the_retries() -> None:
    record = row(
        status="running",
        attempt=2,
        retry=RetryPolicy(max_retries=3, base_delay_ms=40),
        start_at=NOW + 200,
        started_at=NOW + 200,
    )
    past = _past((0, "failed", 0, 10), (1, "timed_out", 60, 90))
    assert _phases(record, now=NOW + 210, past=past) == [
        ("failed", NOW, NOW + 10, False),
        ("delayed", NOW + 10, NOW + 50, False),
        ("queued", NOW + 50, NOW + 60, False),
        ("failed", NOW + 60, NOW + 90, False),
        ("delayed", NOW + 90, NOW + 200, False),
        ("running", NOW + 200, NOW + 210, True),
    ]


def test_what_was_retried_by_hand_was_over_meanwhile() -> None:
    record = row(start_at=NOW + 500)
    past = _past((0, "failed", 1, 10), (0, "failed", 60, 90))
    assert _phases(record, now=NOW + 600, past=past) == [
        ("queued", NOW, NOW + 1, False),
        ("failed", NOW + 1, NOW + 10, False),
        ("over", NOW + 10, NOW + 60, False),
        ("failed", NOW + 60, NOW + 90, False),
        ("over", NOW + 90, NOW + 500, False),
        ("queued", NOW + 500, NOW + 600, True),
    ]


def test_attempts_that_are_not_kept_are_one_stretch() -> None:
    record = row(attempt=9, start_at=NOW + 95)
    past = _past((8, "failed", 60, 90), count=9)
    assert _phases(record, now=NOW + 93, past=past) == [
        ("earlier", NOW, NOW + 60, False),
        ("failed", NOW + 60, NOW + 90, False),
        ("delayed", NOW + 90, NOW + 93, True),
    ]
    assert _phases(record, now=NOW + 99)[0] == ("earlier", NOW, NOW + 95, False)


def test_attempts_that_an_older_release_did_not_keep_are_no_waiting() -> None:
    record = row(attempt=4, start_at=NOW + 95)
    past = _past((1, "failed", 60, 90))
    assert _phases(record, now=NOW + 99, past=past) == [
        ("earlier", NOW, NOW + 60, False),
        ("failed", NOW + 60, NOW + 90, False),
        ("earlier", NOW + 90, NOW + 95, False),
        ("queued", NOW + 95, NOW + 99, True),
    ]


@pytest.mark.parametrize(
    ("message", "phase"),
    [("no", "failed"), ("Executor crashed or lost its lease 4 times", "crashed")],
    ids=["failed", "crashed"],
)
def test_the_last_attempt_looks_as_it_ended(message: str, phase: Phase) -> None:
    error = StoredError(message=message)
    record = row(status="failed", started_at=NOW, finished_at=NOW + 3, error=error)
    assert _phases(record, now=NOW + 9) == [(phase, NOW, NOW + 3, False)]


def test_a_phase_that_comes_again_is_added_up() -> None:
    record = row(start_at=NOW + 40)
    past = _past((0, "crashed", 1, 10), (0, "crashed", 30, 40))
    totals = totals_of(stretches_of(record, past=past, now=NOW + 45))
    assert totals == [("queued", 1 + 20 + 5, True), ("crashed", 19, False)]


def test_a_tree_is_laid_out_parents_first_and_the_finalize_child_last() -> None:
    def child(name: str, parent: str, place: int, *, is_finalize: bool = False) -> object:
        return row(
            execution_id=name,
            parent_execution_id=parent,
            index_in_parent=place,
            is_finalize=is_finalize,
            created_at=NOW + 10,
        )

    timeline = timeline_of(
        [
            child("fin", "root", 0, is_finalize=True),
            child("b", "root", 1),
            child("a1", "a", 0),
            child("a", "root", 0),
            row(execution_id="root"),
        ],  # type: ignore[list-item]
        now=NOW + 100,
    )
    assert [(each.record.execution_id, each.level) for each in timeline.branches] == [
        ("root", 0),
        ("a", 1),
        ("a1", 2),
        ("b", 1),
        ("fin", 1),
    ]
    assert (timeline.begin, timeline.end) == (NOW, NOW + 100)
    assert timeline.branches[1].spans[0].left == pytest.approx(0.1)


def test_a_deep_tree_is_laid_out_without_deep_calls_or_endless_indents() -> None:
    rows = [
        row(execution_id=str(place), parent_execution_id=str(place - 1) if place else None)
        for place in range(5_000)
    ]
    timeline = timeline_of(rows, now=NOW + 1)

    assert len(timeline.branches) == 5_000
    assert timeline.branches[-1].level == MAX_LEVEL


instants = st.none() | st.integers(0, 1_000).map(lambda offset: NOW + offset)


@given(instants, instants, instants, instants, st.integers(0, 1_000))
def test_spans_lie_on_the_axis_whatever_the_clocks_said(
    started: int | None,
    children: int | None,
    finalize: int | None,
    finished: int | None,
    start: int,
) -> None:
    record = row(
        start_at=NOW + start,
        started_at=started,
        waiting_for_children_at=children,
        waiting_for_finalize_at=finalize,
        finished_at=finished,
    )
    timeline = timeline_of([record], now=NOW + 1_000)

    for span in timeline.branches[0].spans:
        assert 0 <= span.left <= 1
        assert 0 <= span.width <= 1 + 1e-9
        assert span.left + span.width <= 1 + 1e-9
        assert span.is_open == (finished is None and span is timeline.branches[0].spans[-1])
