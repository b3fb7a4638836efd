from __future__ import annotations

import asyncio
import math
import threading
from itertools import count

import pytest

from durable_execution import DurableExecutionError, InvalidOptionError
from durable_execution.remote.polling import poll


class Pauses(list[float]):
    """Records what is slept, and moves the loop's clock instead of waiting."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    slept = Pauses()
    loop_time = asyncio.BaseEventLoop.time
    monkeypatch.setattr(
        asyncio.BaseEventLoop, "time", lambda loop: loop_time(loop) + sum(slept), raising=True
    )

    own, really_sleep = threading.get_ident(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        if threading.get_ident() != own:  # a server that other tests have in a thread
            await really_sleep(seconds)
            return
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


async def test_answer_at_once_costs_no_pause(pauses: Pauses) -> None:
    async def ask() -> int:
        return 7

    assert await poll(ask, timeout=None, interval=1) == 7
    assert pauses == []


async def test_pauses_grow_up_to_the_interval(pauses: Pauses) -> None:
    turns = count()

    async def ask() -> str | None:
        return "found" if next(turns) == 15 else None

    await poll(ask, timeout=None, interval=1)

    assert pauses[0] == 0.02
    assert pauses == sorted(pauses)
    assert pauses[-1] == pauses[-2] == 1


async def test_short_interval_is_kept_from_the_first_pause(pauses: Pauses) -> None:
    turns = count()

    async def ask() -> str | None:
        return "found" if next(turns) == 3 else None

    await poll(ask, timeout=None, interval=0.005)

    assert set(pauses) == {0.005}


async def test_restart_of_the_server_is_waited_out(pauses: Pauses) -> None:
    turns = count()

    async def ask() -> str:
        if next(turns) < 20:
            raise DurableExecutionError.retryable("connection refused")
        return "found"

    assert await poll(ask, timeout=None, interval=1) == "found"


async def test_server_that_stays_away_is_given_up(pauses: Pauses) -> None:
    async def ask() -> str:
        raise DurableExecutionError.retryable("connection refused")

    with pytest.raises(DurableExecutionError, match="connection refused"):
        await poll(ask, timeout=None, interval=1)
    assert 30 < sum(pauses) < 32


async def test_one_answer_renews_the_patience(pauses: Pauses) -> None:
    turns = count()

    async def ask() -> str | None:
        turn = next(turns)
        if turn == 80:
            return "found"
        if turn % 20 == 0:
            return None
        raise DurableExecutionError.retryable("connection refused")

    assert await poll(ask, timeout=None, interval=1) == "found"
    assert sum(pauses) > 60


async def test_error_that_will_not_pass_is_raised_at_once(pauses: Pauses) -> None:
    async def ask() -> str:
        raise DurableExecutionError.non_retryable("not found")

    with pytest.raises(DurableExecutionError, match="not found"):
        await poll(ask, timeout=None, interval=1)
    assert pauses == []


async def test_question_without_an_answer_ends_with_the_timeout() -> None:
    async def ask() -> str | None:
        await asyncio.Event().wait()
        return None

    with pytest.raises(TimeoutError):
        await poll(ask, timeout=0.01, interval=1)


@pytest.mark.parametrize(
    ("timeout", "interval", "named"), [(math.inf, 1, "timeout"), (1, 0, "polling_interval")]
)
async def test_duration_out_of_bounds_is_named(timeout: float, interval: float, named: str) -> None:
    async def ask() -> int:
        return 7

    with pytest.raises(InvalidOptionError, match=f"^{named} must be"):
        await poll(ask, timeout=timeout, interval=interval)
