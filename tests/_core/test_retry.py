from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution._core.limits import MAX_MAX_DELAY_MS
from durable_execution._core.retry import RetryOptions, RetryPolicy
from durable_execution.errors import InvalidOptionError

DAY_MS = 86_400_000

_POLICIES = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 1_000),
    base_delay_ms=st.integers(0, 3_600_000),
    delay_multiplier=st.floats(0.1, 10),
    max_delay_ms=st.none() | st.integers(0, DAY_MS),
)


@pytest.mark.parametrize(("attempt", "delay_ms"), [(0, 1_000), (1, 2_000), (5, 32_000)])
def test_the_delay_grows_by_the_multiplier(attempt: int, delay_ms: int) -> None:
    policy = RetryPolicy(base_delay_ms=1_000, delay_multiplier=2.0)
    assert policy.delay_ms(attempt) == delay_ms


def test_the_delay_shrinks_by_a_multiplier_below_one() -> None:
    assert RetryPolicy(base_delay_ms=1_000, delay_multiplier=0.5).delay_ms(2) == 250


def test_the_delay_stops_at_the_given_maximum() -> None:
    policy = RetryPolicy(base_delay_ms=1_000, delay_multiplier=2.0, max_delay_ms=3_000)
    assert [policy.delay_ms(attempt) for attempt in range(4)] == [1_000, 2_000, 3_000, 3_000]


@pytest.mark.parametrize("attempt", [307, 308, 309, 1_000])
def test_a_delay_beyond_all_floats_is_the_maximum(attempt: int) -> None:
    policy = RetryPolicy(base_delay_ms=3_600_000, delay_multiplier=10.0)
    assert policy.delay_ms(attempt) == MAX_MAX_DELAY_MS == DAY_MS


@pytest.mark.parametrize("attempt", [0, 308, 309, 1_000])
def test_no_base_delay_is_no_delay_at_any_attempt(attempt: int) -> None:
    assert RetryPolicy(base_delay_ms=0, delay_multiplier=10.0).delay_ms(attempt) == 0


@given(policy=_POLICIES, attempt=st.integers(0, 1_000))
def test_every_delay_is_whole_and_within_its_bounds(policy: RetryPolicy, attempt: int) -> None:
    delay = policy.delay_ms(attempt)
    assert type(delay) is int
    assert 0 <= delay <= (DAY_MS if policy.max_delay_ms is None else policy.max_delay_ms)


def test_options_are_carried_in_milliseconds() -> None:
    options = RetryOptions(
        max_retries=5, base_delay=1.5, delay_multiplier=2, max_delay=timedelta(minutes=1)
    )
    assert options.to_policy() == RetryPolicy(
        max_retries=5, base_delay_ms=1_500, delay_multiplier=2.0, max_delay_ms=60_000
    )


def test_by_default_nothing_is_retried() -> None:
    assert RetryOptions().to_policy() == RetryPolicy()
    assert RetryPolicy().max_retries == 0


@given(
    max_retries=st.integers(0, 1_000),
    base_delay_ms=st.integers(0, 3_600_000),
    multiplier=st.floats(0.1, 10),
    extra_ms=st.none() | st.integers(0, DAY_MS - 3_600_000),
)
def test_a_policy_survives_the_way_to_options_and_back(
    max_retries: int, base_delay_ms: int, multiplier: float, extra_ms: int | None
) -> None:
    policy = RetryPolicy(
        max_retries=max_retries,
        base_delay_ms=base_delay_ms,
        delay_multiplier=multiplier,
        max_delay_ms=None if extra_ms is None else base_delay_ms + extra_ms,
    )
    assert policy.to_options().to_policy() == policy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_retries": -1}, "max_retries must be a whole number from 0 to 1000, got -1"),
        ({"max_retries": 1001}, "max_retries must be a whole number from 0 to 1000, got 1001"),
        ({"max_retries": 1.0}, "max_retries must be a whole number from 0 to 1000, got 1.0"),
        ({"max_retries": True}, "max_retries must be a whole number from 0 to 1000, got True"),
        ({"base_delay": -1}, "base_delay must be from 0 to 3600 seconds, got -1"),
        ({"base_delay": 3_600.001}, "base_delay must be from 0 to 3600 seconds, got 3600.001"),
        ({"base_delay": "1"}, "base_delay must be seconds or a timedelta, got '1'"),
        ({"delay_multiplier": 0.09}, "delay_multiplier must be a number from 0.1 to 10, got 0.09"),
        ({"delay_multiplier": 10.1}, "delay_multiplier must be a number from 0.1 to 10, got 10.1"),
        ({"max_delay": 86_401}, "max_delay must be from 0 to 86400 seconds, got 86401"),
        (
            {"base_delay": 2, "max_delay": 1},
            "max_delay must not be below base_delay, got 1 and 2",
        ),
    ],
)
def test_an_option_out_of_bounds_is_refused_by_name_with_its_bounds(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        RetryOptions(**options)  # type: ignore[arg-type]  # what untyped callers do
    assert str(raised.value) == message
