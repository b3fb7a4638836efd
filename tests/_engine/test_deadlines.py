from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from durable_execution._engine.deadlines import Deadlines
from tests.simulation.virtual_time import World


class Bell:
    """Remembers when it was told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rung_at: float | None = None

    def time_out(self) -> None:
        self.rung_at = self._world.now


@pytest.fixture
def world() -> World:
    return World(Random(0))


def run(world: World, body: Callable[[], Coroutine[Any, Any, None]], *, until: float) -> None:
    loop = world.new_loop("a thread")
    loop.call_soon(lambda: loop.create_task(body()))
    world.run(until)


@pytest.mark.parametrize("seconds", [0.001, 0.05, 1, 30, 300, 86_400])
def test_a_deadline_is_never_early_and_hardly_late(world: World, seconds: float) -> None:
    bell = Bell(world)

    async def body() -> None:
        await asyncio.sleep(0.7123)
        Deadlines().add(bell, seconds, since=world.now)

    run(world, body, until=seconds * 2 + 1)
    assert bell.rung_at is not None
    late = bell.rung_at - 0.7123 - seconds
    assert 0 <= late <= max(0.001, seconds / 1000)


def test_a_later_deadline_does_not_delay_a_nearer_one(world: World) -> None:
    far, near = Bell(world), Bell(world)

    async def body() -> None:
        deadlines = Deadlines()
        deadlines.add(far, 100, since=world.now)
        deadlines.add(near, 1, since=world.now)

    run(world, body, until=200)
    assert near.rung_at == pytest.approx(1, rel=0.001)
    assert far.rung_at == pytest.approx(100, rel=0.001)


def test_who_left_its_place_is_not_told(world: World) -> None:
    left, stayed = Bell(world), Bell(world)

    async def body() -> None:
        deadlines = Deadlines()
        deadlines.add(left, 1, since=world.now).pop(left)
        deadlines.add(stayed, 1, since=world.now)

    run(world, body, until=10)
    assert left.rung_at is None
    assert stayed.rung_at is not None


def test_nobody_is_told_after_the_end(world: World) -> None:
    bell = Bell(world)

    async def body() -> None:
        deadlines = Deadlines()
        deadlines.add(bell, 1, since=world.now)
        deadlines.close()

    run(world, body, until=10)
    assert bell.rung_at is None


def test_an_attempt_costs_no_timer_of_its_own(world: World) -> None:
    bells = [Bell(world) for _ in range(10_000)]
    timers = 0

    async def body() -> None:
        nonlocal timers
        loop, deadlines = asyncio.get_running_loop(), Deadlines()
        set_timer = loop.call_at

        def counting(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            nonlocal timers
            timers += 1
            return set_timer(*args, **kwargs)

        loop.call_at = counting  # type: ignore[method-assign] # of this loop only
        for bell in bells:
            deadlines.add(bell, 30, since=world.now)
            await asyncio.sleep(0)

    run(world, body, until=60)
    assert timers <= 2
    assert all(bell.rung_at is not None for bell in bells)
