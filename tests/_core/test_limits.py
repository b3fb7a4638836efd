from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution._core.limits import MIB, check_between, check_task_id, to_ms, wait_seconds
from durable_execution.errors import InvalidOptionError


@pytest.mark.parametrize("task_id", ["a", "_", "sendEmail", "send_email_2", "x" * 255])
def test_a_task_id_of_letters_digits_and_underscores_is_taken(task_id: str) -> None:
    assert check_task_id(task_id) == task_id


@pytest.mark.parametrize(
    "task_id", ["", "send-email", "send email", "a\n", "é", "٣", "a/b", "x" * 256]
)
def test_any_other_task_id_is_refused_with_the_rule(task_id: str) -> None:
    with pytest.raises(InvalidOptionError, match=r"1 to 255 letters, digits or underscores"):
        check_task_id(task_id)


def test_a_task_id_that_is_no_string_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match=r"^task id must be a string, got 7$"):
        check_task_id(7)  # type: ignore[arg-type]  # what untyped callers do


@pytest.mark.parametrize("value", [1, 10, 1.0, 9.99])
def test_a_number_within_its_bounds_is_taken(value: float) -> None:
    check_between("size", value, 1, 10)


@pytest.mark.parametrize("value", [0, 10.01, math.nan, math.inf, -math.inf, 10**400, True, "5"])
def test_a_number_out_of_its_bounds_is_refused(value: float) -> None:
    with pytest.raises(InvalidOptionError, match=r"^size must be a number from 1 to 10, got "):
        check_between("size", value, 1, 10)


@pytest.mark.parametrize("value", [0, 5.0, 11, 10**400, None])
def test_a_whole_number_is_wanted_where_one_is(value: int) -> None:
    with pytest.raises(
        InvalidOptionError, match=r"^size must be a whole number from 1 to 10, got "
    ):
        check_between("size", value, 1, 10, whole=True)


def test_large_bounds_are_written_out_in_full() -> None:
    with pytest.raises(InvalidOptionError, match=r"from 1024 to 10485760, got 1$"):
        check_between("size", 1, 1024, 10 * MIB, whole=True)
    with pytest.raises(InvalidOptionError, match=r"from 0.001 to 3153600000 seconds, got 0$"):
        to_ms("timeout", 0, 1, 3_153_600_000_000)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (0, 0),
        (1, 1_000),
        (0.1, 100),
        (1.001, 1_001),
        (0.0001, 1),
        (1.0001, 1_001),
        (timedelta(minutes=1), 60_000),
        (timedelta(microseconds=1), 1),
        (100, 100_000),
    ],
)
def test_durations_become_whole_milliseconds_rounded_up(
    value: float | timedelta, milliseconds: int
) -> None:
    assert to_ms("timeout", value, 0, 100_000) == milliseconds


@pytest.mark.parametrize(
    "value",
    [-0.001, 100.001, math.nan, math.inf, -math.inf, 1e308, 10**400, timedelta(days=1)],
)
def test_a_duration_out_of_its_bounds_is_refused(value: float | timedelta) -> None:
    with pytest.raises(InvalidOptionError, match=r"^timeout must be from 0 to 100 seconds, got "):
        to_ms("timeout", value, 0, 100_000)


@pytest.mark.parametrize("value", [True, "30", None, 1j])
def test_what_is_no_duration_is_refused(value: float) -> None:
    with pytest.raises(InvalidOptionError, match=r"^timeout must be seconds or a timedelta, got "):
        to_ms("timeout", value, 0, 100_000)


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (1.5, 1.5),
        (timedelta(minutes=1), 60),
        (0, 0),
        (-0.001, 0),
        (-math.inf, 0),
        (timedelta(seconds=-1), 0),
    ],
)
def test_a_time_that_is_over_is_not_waited_for(timeout: float | timedelta, seconds: float) -> None:
    assert wait_seconds(timeout) == seconds


@pytest.mark.parametrize("timeout", ["1", True, math.nan, math.inf])
def test_what_is_no_time_to_wait_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidOptionError, match=r"^timeout must be "):
        wait_seconds(timeout)


@given(milliseconds=st.integers(0, 100 * 365 * 86_400_000))
def test_whole_milliseconds_survive_the_way_through_seconds(milliseconds: int) -> None:
    assert to_ms("timeout", milliseconds / 1000, 0, 100 * 365 * 86_400_000) == milliseconds
