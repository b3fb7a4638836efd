from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from durable_execution import InvalidOptionError
from durable_execution.access import Bounds


def test_times_are_seconds_or_timedeltas() -> None:
    bounds = Bounds(answer_timeout=timedelta(minutes=2), stream_timeout=0.5)
    assert (bounds.answer_seconds, bounds.stream_seconds) == (120, 0.5)
    assert Bounds(stream_timeout=None).stream_seconds is None


def test_longest_wait_for_an_execution_fits() -> None:
    assert Bounds().answer_seconds > 60


@pytest.mark.parametrize(
    "options",
    [
        {"calls": 0},
        {"streams": -1},
        {"body_bytes": 1.5},
        {"total_calls": True},
        {"retry_after": None},
        {"answer_timeout": 0},
        {"answer_timeout": None},
        {"answer_timeout": "90"},
        {"answer_timeout": True},
        {"stream_timeout": float("inf")},
        {"stream_timeout": float("nan")},
        {"stream_timeout": timedelta(0)},
    ],
    ids=str,
)
def test_bound_that_bounds_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError, match=f"Bounds.{next(iter(options))}: expected"):
        Bounds(**options)
