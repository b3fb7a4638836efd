from __future__ import annotations

from durable_execution._engine.clock import Clock, wall_clock


def test_the_clock_tells_the_storage_s_time() -> None:
    now = 1000
    clock = Clock(lambda: now)
    assert clock.now() == 1000
    clock.sync(5000)
    now = 1250
    assert clock.now() == 5250
    clock.sync(1200)
    assert clock.now() == 1200


def test_the_wall_clock_counts_milliseconds_since_the_epoch() -> None:
    assert 1_600_000_000_000 < wall_clock() < 10_000_000_000_000
