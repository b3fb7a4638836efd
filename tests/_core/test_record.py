from __future__ import annotations

import msgspec
import pytest

from durable_execution._core.status import ERRORED, FINISHED, STATUSES, UNFINISHED, WAITING, Status
from tests._core.records import parked, record_in, sleeper_in


def test_the_statuses_are_those_of_the_wire() -> None:
    unfinished = {"ready", "running", "waiting_for_children", "waiting_for_finalize"}
    errored = {"failed", "timed_out", "finalize_failed", "cancelled"}
    assert unfinished == UNFINISHED
    assert errored == ERRORED
    assert errored | {"completed"} == FINISHED
    assert FINISHED | UNFINISHED == STATUSES
    assert {"waiting_for_children", "waiting_for_finalize"} == WAITING


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_row_is_joinable_exactly_when_it_waits_for_nobody(status: Status) -> None:
    assert record_in(status).is_joinable == (status in WAITING)
    assert not record_in(status, active_children_count=1).is_joinable


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_row_is_finished_exactly_in_a_final_status(status: Status) -> None:
    assert record_in(status).is_finished == (status in FINISHED)


def test_a_row_sleeps_exactly_when_it_has_a_sleeping_id() -> None:
    assert sleeper_in("running").is_sleeping
    assert not record_in("running").is_sleeping


def test_a_parked_row_is_no_sleeping_one() -> None:
    assert parked().is_parked
    assert not parked().is_sleeping
    assert parked().sleeping_task_unique_id is None
    assert not record_in("running").is_parked
    assert not sleeper_in("running").is_parked


def test_a_row_that_was_parked_when_it_ended_is_neither() -> None:
    ended = msgspec.structs.replace(parked(), status="completed")
    assert not ended.is_parked
    assert not ended.is_sleeping
