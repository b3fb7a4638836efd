from __future__ import annotations

import pytest

from durable_execution import InMemoryStorage
from durable_execution._engine.pace import (
    BUSY_INTERVAL,
    CALM_AFTER,
    CALM_INTERVAL,
    UNTOLD_INTERVAL,
    Pace,
)


class Told(InMemoryStorage):
    can_notify = True
    is_deaf = False


class Untold(Told):
    can_notify = False


@pytest.fixture
def now() -> list[float]:
    return [100.0]


def test_storage_that_tells_is_looked_at_every_poll_interval(now: list[float]) -> None:
    pace = Pace(Told(), 10, lambda: now[0])
    now[0] += 1000
    assert pace.interval == 10


def test_storage_that_is_deaf_is_looked_at_every_second_for_as_long_as_it_is(
    now: list[float],
) -> None:
    storage = Told()
    pace = Pace(storage, 10, lambda: now[0])
    storage.is_deaf = True
    now[0] += 1000
    assert pace.interval == UNTOLD_INTERVAL
    storage.is_deaf = False
    assert pace.interval == 10


def test_storage_that_never_tells_is_looked_at_less_often_when_it_is_calm(
    now: list[float],
) -> None:
    pace = Pace(Untold(), 10, lambda: now[0])
    assert pace.interval == UNTOLD_INTERVAL
    now[0] += CALM_AFTER + 1
    assert pace.interval == CALM_INTERVAL
    pace.note_find(was_told=True)
    assert pace.interval == UNTOLD_INTERVAL


@pytest.mark.parametrize("can_notify", [False, True])
def test_find_that_nobody_told_of_is_followed_by_looks_ever_less_close(
    now: list[float], can_notify: bool
) -> None:
    storage = Told()
    storage.can_notify, storage.is_deaf = can_notify, True
    pace = Pace(storage, 10, lambda: now[0])
    pace.note_find(was_told=False)
    begun, looks = now[0], 0
    intervals = []
    while pace.interval < UNTOLD_INTERVAL:
        intervals.append(pace.interval)
        now[0] += pace.interval
        looks += 1
    assert intervals[0] == BUSY_INTERVAL
    assert intervals == sorted(intervals)
    assert 5 < now[0] - begun < 15
    assert looks < 80
    pace.note_find(was_told=True)
    assert pace.interval == UNTOLD_INTERVAL
    pace.note_find(was_told=False)
    assert pace.interval == BUSY_INTERVAL


def test_storage_that_tells_is_not_looked_at_more_often_for_a_find(now: list[float]) -> None:
    pace = Pace(Told(), 10, lambda: now[0])
    pace.note_find(was_told=False)
    assert pace.interval == 10


def test_nobody_is_looked_at_less_often_than_asked_for(now: list[float]) -> None:
    pace = Pace(Untold(), 0.1, lambda: now[0])
    now[0] += 1000
    assert pace.interval == 0.1
