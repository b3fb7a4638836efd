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


def test_slow_answer_does_not_spoil_what_a_quick_one_taught() -> None:
    wall = [10_000]
    clock = Clock(lambda: wall[0])
    clock.sync(50_000)
    assert clock.now() == 50_000
    wall[0] += 300
    # Read 300 ms ago, when it was just the same as is known.
    clock.sync(50_000, took_ms=300)
    assert clock.now() == 50_300


def test_clock_is_never_ahead_of_the_storage_s() -> None:
    wall = [50_000]
    clock = Clock(lambda: wall[0])
    clock.sync(49_990, took_ms=40)
    assert clock.now() == 49_990
    clock.sync(49_995, took_ms=10)
    assert clock.now() == 49_995
    # Set back there: what is known cannot be true any more.
    clock.sync(49_000, took_ms=40)
    assert clock.now() == 49_000
