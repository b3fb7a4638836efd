from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from durable_execution._engine.clock import Clock
from durable_execution._engine.rhythm import ThreadRhythm
from durable_execution._engine.running import Running
from durable_execution._engine.services.heart import Heart, Told
from durable_execution._observing import Fact, LeaseEnded, LoopStalled
from durable_execution.errors import StorageUnavailableError
from durable_execution.storage.protocol import Beat, Pulse
from tests._engine.attempts import running_attempt


class Beaten:
    """The part of a storage that a heart uses: it notes beats and answers as it is told."""

    def __init__(self) -> None:
        self.beats: list[tuple[Beat, threading.Thread]] = []
        self.answer: Callable[[Beat], Pulse] = lambda beat: Pulse(now=5000, was_known=True)

    async def heartbeat(self, beat: Beat) -> Pulse:
        self.beats.append((beat, threading.current_thread()))
        return self.answer(beat)

    def sibling(self) -> Beaten:
        return self


class Ears:
    """Hears what the heart tells; each kind once is enough."""

    def __init__(self) -> None:
        self.lost: list[tuple[str, int]] = []
        self.is_lost, self.all_lost, self.dead, self.revived = (asyncio.Event() for _ in range(4))

    def hear_lost(self, held: Iterable[tuple[str, int]]) -> None:
        self.lost.extend(held)
        self.is_lost.set()


@pytest.fixture
def storage() -> Beaten:
    return Beaten()


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def running() -> Running:
    return Running(capacity=10, threads=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(lambda: 1000)


@pytest.fixture
async def heart(
    storage: Beaten, ears: Ears, running: Running, clock: Clock
) -> AsyncIterator[Heart]:
    heart = Heart(
        storage,  # type: ignore[arg-type]
        running,
        clock,
        Told(ears.hear_lost, ears.all_lost.set, ears.dead.set, ears.revived.set),
        executor_id="de_1",
        task_ids=lambda: frozenset({"a"}),
        lease_ms=400,
        loop_stall_timeout=30,
        rhythm=ThreadRhythm(),
        monotonic=time.monotonic,
    )
    await heart.start()
    yield heart
    await heart.stop()
    running.threads.close()


def _unreachable(beat: Beat) -> Pulse:
    raise StorageUnavailableError("away")


async def test_the_first_beat_registers_and_brings_the_time(
    heart: Heart, storage: Beaten, clock: Clock
) -> None:
    beat, thread = storage.beats[0]
    assert (beat.executor_id, beat.lease_ms, beat.held) == ("de_1", 280, ())
    assert thread is threading.main_thread()
    assert clock.now() == 5000
    assert heart.is_beating


async def test_attempts_stop_well_before_the_storage_gives_them_to_others(
    storage: Beaten, ears: Ears, running: Running, clock: Clock
) -> None:
    now = [50.0]
    heart = Heart(
        storage,  # type: ignore[arg-type]
        running,
        clock,
        Told(ears.hear_lost, ears.all_lost.set, ears.dead.set, ears.revived.set),
        executor_id="de_1",
        task_ids=frozenset,
        lease_ms=400,
        loop_stall_timeout=30,
        rhythm=ThreadRhythm(),
        monotonic=lambda: now[0],
    )
    await heart.start()
    ((beat, _),) = storage.beats
    now[0] += beat.lease_ms * 0.92 / 1000
    assert heart.is_beating
    now[0] += beat.lease_ms * 0.02 / 1000
    assert not heart.is_beating
    await heart.stop()
    running.threads.close()


async def test_further_beats_come_from_a_thread_of_its_own(heart: Heart, storage: Beaten) -> None:
    while len(storage.beats) < 3:
        await asyncio.sleep(0.005)  # beats come by the clock
    assert {thread is threading.main_thread() for _, thread in storage.beats[1:]} == {False}


async def test_what_a_beat_lost_is_told_with_its_fence(
    heart: Heart, storage: Beaten, ears: Ears, running: Running
) -> None:
    storage.answer = lambda beat: Pulse(now=5000, was_known=True, lost=("te_1",), found_dead=True)
    running_attempt(running, "te_1", fence=3)
    running_attempt(running, "te_2", fence=1)
    heart.beat_now()
    await ears.is_lost.wait()
    await ears.dead.wait()
    assert set(ears.lost) == {("te_1", 3)}
    for attempt in running.attempts():
        assert attempt.job is not None
        attempt.job.cancel()


async def test_a_lease_that_runs_out_is_told_and_so_is_its_return(
    heart: Heart, storage: Beaten, ears: Ears
) -> None:
    storage.answer = _unreachable
    begun = time.monotonic()
    await ears.all_lost.wait()
    # The stored lease is 0.28 s from the last beat that came through.
    assert time.monotonic() - begun < 2
    assert not heart.is_beating
    assert not ears.revived.is_set()
    storage.answer = lambda beat: Pulse(now=5000, was_known=False)
    await ears.revived.wait()
    assert heart.is_beating


async def test_one_beat_that_fails_ends_nothing(heart: Heart, storage: Beaten, ears: Ears) -> None:
    answers = iter([_unreachable])
    storage.answer = lambda beat: next(answers, lambda _: Pulse(now=5000, was_known=True))(beat)
    count = len(storage.beats)
    while len(storage.beats) < count + 4:
        await asyncio.sleep(0.005)  # beats come by the clock
    assert heart.is_beating
    assert not ears.all_lost.is_set()


async def test_observers_hear_once_of_a_lease_that_ends_and_of_a_loop_that_stalls(
    storage: Beaten, ears: Ears, running: Running, clock: Clock
) -> None:
    facts: list[Fact] = []
    now = [50.0]
    heart = Heart(
        storage,  # type: ignore[arg-type]
        running,
        clock,
        Told(ears.hear_lost, ears.all_lost.set, ears.dead.set, ears.revived.set),
        executor_id="de_1",
        task_ids=frozenset,
        lease_ms=1000,
        loop_stall_timeout=30,
        rhythm=ThreadRhythm(),
        monotonic=lambda: now[0],
        tell=facts.append,
    )
    await heart.start()
    await heart.stop()  # its thread; what it does by itself is done by hand here
    heart._is_loop_stalled()
    now[0] += 31
    heart._is_loop_stalled()
    heart._is_loop_stalled()
    heart._check_lease()
    heart._check_lease()
    running.threads.close()
    assert facts == [LoopStalled("de_1", 31.0), LeaseEnded("de_1")]
