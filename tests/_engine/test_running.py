from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from durable_execution._engine.running import Attempt, Running
from durable_execution._engine.threads import Call
from tests._engine.attempts import running_attempt


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    running = Running(capacity=3, threads=2)
    yield running
    jobs = [attempt.job for attempt in running.attempts() if attempt.job is not None]
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    running.threads.close()


def _is_cancelled(attempt: Attempt) -> bool:
    assert attempt.job is not None
    return attempt.job.cancelling() > 0


async def test_room_is_what_the_attempts_leave(running: Running) -> None:
    assert (running.room, running.thread_room) == (3, 2)
    first = running_attempt(running, "te_1", task_id="in_a_thread")
    running_attempt(running, "te_2")
    assert (running.room, running.thread_room, len(running)) == (1, 1, 2)
    running.remove(first)
    assert (running.room, running.thread_room) == (2, 2)


async def test_a_thread_is_free_before_the_outcome_is_written(running: Running) -> None:
    attempt = running_attempt(running, task_id="in_a_thread")
    assert (running.room, running.thread_room) == (2, 1)
    running.leave_thread(attempt)
    running.leave_thread(attempt)
    assert (running.room, running.thread_room) == (2, 2)
    running.remove(attempt)
    assert (running.room, running.thread_room) == (3, 2)


async def test_whoever_is_short_of_room_hears_of_a_thread_that_is_free() -> None:
    heard: list[bool] = []
    running = Running(capacity=3, threads=1, on_room=lambda: heard.append(True))
    attempt = running_attempt(running, task_id="in_a_thread")
    running.is_short_of_room = True
    running.leave_thread(attempt)
    assert heard == [True]
    assert attempt.job is not None
    attempt.job.cancel()
    await asyncio.gather(attempt.job, return_exceptions=True)
    running.threads.close()


async def test_what_waits_for_a_thread_does_so_in_no_time_of_its_own(running: Running) -> None:
    attempt = running_attempt(running, task_id="in_a_thread")
    now = asyncio.get_running_loop().time()
    attempt.call = Call(running.threads, now - 0.02)
    attempt.time_out()
    assert not attempt.is_overdue
    attempt.call.begin(now + 0.01)
    while not attempt.is_overdue:
        await asyncio.sleep(0.001)
    assert attempt.spared == pytest.approx(0.03)
    assert _is_cancelled(attempt)


async def test_threads_never_have_more_room_than_there_is(running: Running) -> None:
    running_attempt(running, "te_1")
    running_attempt(running, "te_2")
    assert (running.room, running.thread_room) == (1, 1)


async def test_held_names_rows_with_their_fences(running: Running) -> None:
    running_attempt(running, "te_1", fence=4)
    running_attempt(running, "te_2", fence=1).stop("lost")
    assert running.held() == (("te_1", 4),)


async def test_a_stopped_attempt_knows_the_first_reason(running: Running) -> None:
    attempt = running_attempt(running)
    await asyncio.sleep(0)
    running.stop("te_1", "cancelled")
    running.stop_all("shutdown")
    assert attempt.stop_reason == "cancelled"
    assert attempt.cancel_signal.is_set()
    assert _is_cancelled(attempt)
    assert not attempt.is_ours


async def test_an_attempt_that_shuts_down_can_still_be_lost(running: Running) -> None:
    attempt = running_attempt(running)
    running.stop_all("shutdown")
    assert attempt.is_ours
    running.stop_all("lost")
    assert (attempt.stop_reason, attempt.is_ours) == ("lost", False)


async def test_an_attempt_that_has_not_begun_is_told_and_not_cancelled(running: Running) -> None:
    attempt = running_attempt(running)
    job, attempt.job = attempt.job, None
    attempt.stop("shutdown")
    assert attempt.stop_reason == "shutdown"
    attempt.job = job
    assert not _is_cancelled(attempt)


async def test_a_loss_stops_the_claim_that_was_lost_and_no_later_one(running: Running) -> None:
    attempt = running_attempt(running, fence=2)
    assert running.stop_lost([("te_1", 1), ("te_unknown", 1)]) == 0
    assert attempt.stop_reason is None
    assert running.stop_lost([("te_1", 2)]) == 1
    assert attempt.stop_reason == "lost"


async def test_an_outcome_that_is_being_written_is_not_lost_to_a_beat(running: Running) -> None:
    attempt = running_attempt(running)
    await asyncio.sleep(0)
    attempt.has_ended = True
    assert running.stop_lost([("te_1", 1)]) == 0
    attempt.stop("shutdown")
    assert not _is_cancelled(attempt)
    attempt.stop("lost")
    assert _is_cancelled(attempt)


async def test_an_old_attempt_does_not_take_away_a_new_one_of_its_row(running: Running) -> None:
    old = running_attempt(running, fence=1)
    new = running_attempt(running, fence=2)
    running.remove(old)
    running.stop("te_1", "cancelled")
    assert new.stop_reason == "cancelled"


async def test_drained_waits_for_the_last_attempt(running: Running) -> None:
    await running.drained()
    attempt = running_attempt(running)
    drained = asyncio.ensure_future(running.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    running.remove(attempt)
    await drained


async def test_what_is_abandoned_is_counted_and_cancelled(running: Running) -> None:
    attempt = running_attempt(running)
    assert running.abandon_all() == 1
    assert attempt.is_abandoned
    assert _is_cancelled(attempt)


async def test_the_claim_of_a_row_stops_the_attempt_of_an_earlier_claim(running: Running) -> None:
    earlier = running_attempt(running, fence=1)
    await asyncio.sleep(0)
    running_attempt(running, fence=2)
    assert earlier.stop_reason == "lost"
    assert running.held() == (("te_1", 2),)
