from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution.dashboard.spans import (
    MAX_LEVEL,
    duration_of,
    phases_of,
    timeline_of,
    wait_of,
)
from tests.dashboard.rows import NOW, row


def test_an_execution_waits_runs_and_joins() -> None:
    record = row(
        status="completed",
        started_at=NOW + 5,
        waiting_for_children_at=NOW + 20,
        waiting_for_finalize_at=NOW + 90,
        finished_at=NOW + 100,
    )
    assert phases_of(record, now=NOW + 999) == [
        ("queued", NOW, NOW + 5, False),
        ("running", NOW + 5, NOW + 20, False),
        ("children", NOW + 20, NOW + 90, False),
        ("finalize", NOW + 90, NOW + 100, False),
    ]
    assert duration_of(record) == 95
    assert wait_of(record) == 5


def test_what_is_under_way_goes_on_until_now() -> None:
    record = row(status="running", started_at=NOW, executor_id="de_1")
    assert phases_of(record, now=NOW + 30) == [("running", NOW, NOW + 30, True)]


def test_a_start_in_the_future_is_a_delay_and_not_a_wait_for_executors() -> None:
    record = row(start_at=NOW + 1_000)
    assert phases_of(record, now=NOW + 10) == [("delayed", NOW, NOW + 10, True)]


def test_sleeping_is_not_running() -> None:
    record = row(status="running", sleeping_unique_id="order-1", started_at=NOW)
    assert phases_of(record, now=NOW + 1) == [("sleeping", NOW, NOW + 1, True)]
    assert wait_of(record) is None


def test_one_cancelled_before_it_started_has_only_waited() -> None:
    record = row(status="cancelled", finished_at=NOW + 7, start_at=NOW + 1_000)
    assert phases_of(record, now=NOW + 999) == [("delayed", NOW, NOW + 7, False)]
    assert duration_of(record) is None


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
