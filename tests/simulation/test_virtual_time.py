from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.simulation.virtual_time import StandstillError, World


@pytest.fixture
def world() -> World:
    return World(Random(1))


def test_time_jumps_to_the_next_timer_and_no_further(world: World) -> None:
    seen: list[float] = []

    async def sleep() -> None:
        await asyncio.sleep(3600)
        seen.append(world.now)
        await asyncio.sleep(0.5)
        seen.append(world.now)

    world.new_loop(None).create_task(sleep())
    world.run(3600.2)
    assert seen == [3600]
    assert world.now == 3600.2
    world.run(4000)
    assert seen == [3600, 3600.5]
    assert world.now == 4000


def test_a_stalled_loop_runs_its_timers_late_and_others_on_time(world: World) -> None:
    seen: list[tuple[str, float]] = []
    stalled, other = world.new_loop(None), world.new_loop(None)
    for name, loop in (("stalled", stalled), ("other", other)):
        loop.call_later(1, lambda name=name: seen.append((name, world.now)))
    stalled.stall(5)
    world.run(10)
    assert seen == [("other", 1), ("stalled", 5)]


def test_a_killed_loop_does_not_even_clean_up(world: World) -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            seen.append("cleaned up")

    loop = world.new_loop(None)
    task = loop.create_task(work())
    world.run(1)
    loop.kill()
    world.run(10)
    assert not seen
    assert not task.done()
    world.end()


def test_timeouts_and_threads_keep_virtual_time(world: World) -> None:
    loop = world.new_loop(None)
    loop.thread_pause = lambda: 7.0
    seen: list[object] = []

    async def work() -> None:
        try:
            async with asyncio.timeout(3):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append(world.now)
        seen.append(await asyncio.to_thread(lambda: "result"))
        seen.append(world.now)

    loop.create_task(work())
    world.run(100)
    assert seen == [3, "result", 10]


def test_what_lets_no_time_pass_is_caught(world: World) -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    world.new_loop(None).create_task(spin())
    with pytest.raises(StandstillError):
        world.run(1)
    world.end()


def test_loops_take_turns_in_an_order_that_the_seed_decides() -> None:
    def turns(seed: int) -> str:
        world = World(Random(seed))
        seen: list[str] = []
        for name in "abc":
            loop = world.new_loop(None)
            for _ in range(5):
                loop.call_soon(seen.append, name)
        world.run(1)
        return "".join(seen)

    assert turns(1) == turns(1)
    assert len({turns(seed) for seed in range(10)}) > 5
