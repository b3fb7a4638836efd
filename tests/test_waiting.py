"""Coroutines completed by a thread: their limits nest as those of asyncio do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from durable_execution._waiting import Blocking, blocking, now, sleep, timeout


class FakeBlocking(Blocking):
    def __init__(self) -> None:
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def in_thread(function: Callable[[], Awaitable[object]]) -> object:
    async def awaited() -> object:
        return await function()

    return FakeBlocking().complete(awaited)


def under_loop(function: Callable[[], Awaitable[object]]) -> object:
    async def awaited() -> object:
        return await function()

    return asyncio.run(awaited())


both = pytest.mark.parametrize("run", [in_thread, under_loop])
Run = Callable[[Callable[[], Awaitable[object]]], object]


@both
def test_limit_ends_what_is_inside(run: Run) -> None:
    seen: list[BaseException] = []

    async def wait() -> tuple[bool, bool]:
        async with timeout(None) as outer:
            try:
                async with timeout(0.001) as limit:
                    try:
                        await sleep(100)
                    except Exception as error:
                        seen.append(error)
            except TimeoutError:
                return limit.expired(), outer.expired()
        raise AssertionError

    assert run(wait) == (True, False)
    assert seen == []  # as a cancellation, it is nothing that inner code could take for an error


@both
def test_limit_around_is_not_taken_for_the_inner_one(run: Run) -> None:
    async def wait() -> tuple[bool, bool]:
        try:
            async with timeout(0.001) as outer, timeout(50) as inner:
                await sleep(100)
        except TimeoutError:
            return inner.expired(), outer.expired()
        raise AssertionError

    assert run(wait) == (False, True)


@both
def test_limit_that_is_over_binds_no_more(run: Run) -> None:
    async def wait() -> float | None:
        async with timeout(50) as limit:
            await sleep(0)
        await sleep(0.001)
        when = limit.when()
        assert when is not None
        assert 0 < when - now() <= 50
        return None

    assert run(wait) is None


@both
def test_timeout_of_others_passes(run: Run) -> None:
    async def wait() -> None:
        async with timeout(50):
            raise TimeoutError("of others")

    with pytest.raises(TimeoutError, match="of others"):
        run(wait)


def test_time_left_is_that_of_the_nearest_end() -> None:
    async def look() -> list[float | None]:
        here = blocking()
        assert here is not None
        found = [here.time_left()]
        async with timeout(1000):
            found.append(here.time_left())
            async with timeout(None):
                found.append(here.time_left())
                async with timeout(5000):
                    found.append(here.time_left())
                    async with timeout(10):
                        found.append(here.time_left())
        found.append(here.time_left())
        return found

    first, *middle, innermost, last = FakeBlocking().complete(look)
    assert (first, last) == (None, None)
    assert [each is not None and 900 < each <= 1000 for each in middle] == [True] * 3
    assert innermost is not None
    assert innermost <= 10


def test_sleep_ends_with_the_limit() -> None:
    here = FakeBlocking()

    async def wait() -> None:
        await sleep(0)
        await sleep(3)
        async with timeout(2):
            await sleep(1)
            await sleep(30)

    with pytest.raises(TimeoutError):
        here.complete(wait)
    three, one, rest = here.pauses
    assert (three, one) == (3, 1)
    assert rest <= 2


def test_nothing_is_left_behind() -> None:
    async def inside() -> tuple[object, object]:
        return blocking(), FakeBlocking().complete(nested)

    async def nested() -> object:
        return blocking()

    async def fails() -> None:
        raise ValueError("no")

    here = FakeBlocking()
    outer, inner = here.complete(inside)
    assert outer is here
    assert isinstance(inner, FakeBlocking)
    assert inner is not here
    with pytest.raises(ValueError, match="no"):
        here.complete(fails)
    assert blocking() is None


def test_loop_inside_waits_as_usual() -> None:
    async def on_loop() -> object:
        return blocking()

    async def inside() -> object:
        return asyncio.run(on_loop())

    assert FakeBlocking().complete(inside) is None


def test_waiting_for_something_else_is_an_error_and_ends_it() -> None:
    ended: list[bool] = []

    class Never:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield

    async def wait() -> None:
        try:
            await Never()
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="this thread has none"):
        FakeBlocking().complete(wait)
    assert ended == [True]


def test_pause_takes_its_time() -> None:
    began = monotonic()
    Blocking().pause(0.01)
    assert monotonic() - began >= 0.009
