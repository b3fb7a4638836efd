from __future__ import annotations

import pytest

from durable_execution._core.patch import Guard, counted_off
from durable_execution._core.status import STATUSES, WAITING, Status
from tests._core.records import NOW, changed_fields, record_in


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_guard_holds_for_its_status_only(status: Status) -> None:
    assert Guard("te_1", "running", 4).holds(record_in(status)) == (status == "running")


@pytest.mark.parametrize("fence", [3, 5])
def test_a_guard_fails_once_the_fence_has_moved(fence: int) -> None:
    assert not Guard("te_1", "running", 4).holds(record_in("running", fence=fence))


@pytest.mark.parametrize(("active", "holds"), [(0, True), (1, False)])
def test_a_joinable_guard_fails_while_a_child_is_active(active: int, holds: bool) -> None:
    record = record_in("waiting_for_children", active_children_count=active)
    assert Guard("te_1", "waiting_for_children", 4, must_be_joinable=True).holds(record) == holds
    assert Guard("te_1", "waiting_for_children", 4).holds(record)


@pytest.mark.parametrize("status", sorted(WAITING))
def test_counting_off_lowers_the_count_and_nothing_else(status: Status) -> None:
    parent = record_in(status, active_children_count=3)
    after = counted_off(parent, 2, NOW)
    assert changed_fields(parent, after) == {"active_children_count": 1, "updated_at": NOW}


def test_counting_off_never_goes_below_zero() -> None:
    parent = record_in("waiting_for_children", active_children_count=1)
    assert counted_off(parent, 5, NOW).active_children_count == 0


@pytest.mark.parametrize("status", sorted(STATUSES - WAITING))
def test_a_parent_that_does_not_wait_is_not_counted_off(status: Status) -> None:
    parent = record_in(status)
    assert counted_off(parent, 1, NOW) == parent
