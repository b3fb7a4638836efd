"""Waiting that works under an event loop, and in a thread that has none.

The coroutines of a client are written once. Awaited, they wait as asyncio does; `Blocking.complete`
runs them to their end in the thread that calls, where each wait blocks that thread. What waits
asks here, and not asyncio, for it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar, cast

T = TypeVar("T")


class Blocking:
    """Completes coroutines in the thread that calls, and is asked by what blocks there."""

    def complete(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine whose every wait is one of this module.

        Raises:
            RuntimeError: It waited for something else, which only an event loop can bring about.
            BaseException: What the coroutine raises.
        """
        outer = _HERE.completion
        coroutine = function()
        _HERE.completion = _Completion(self)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return cast("T", stop.value)
        finally:
            coroutine.close()
            _HERE.completion = outer
        raise RuntimeError(f"{coroutine!r} waits for an event loop, and this thread has none")

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    @staticmethod
    def end() -> float | None:
        """When, by `time.monotonic`, the first limit around what blocks now is over."""
        limit = _first_limit()
        return None if limit is None else limit.end

    @classmethod
    def time_left(cls) -> float | None:
        """Seconds until then, None without a limit.

        Raises:
            BaseException: There are none left; the limit knows it for its own.
        """
        end = cls.end()
        if end is None:
            return None
        left = end - time.monotonic()
        if left <= 0:
            raise cls.expired()
        return left

    @staticmethod
    def expired() -> BaseException:
        """What to raise where the end was waited for in vain."""
        limit = _first_limit()
        return TimeoutError() if limit is None else _ExpiredError(limit)


def blocking() -> Blocking | None:
    """Who completes what runs here; None under an event loop."""
    completion = _completion()
    return None if completion is None else completion.by


def now() -> float:
    """Seconds of the clock that limits go by."""
    return time.monotonic() if _completion() is not None else asyncio.get_running_loop().time()


async def sleep(seconds: float) -> None:
    """See `asyncio.sleep`."""
    completion = _completion()
    if completion is None:
        await asyncio.sleep(seconds)
        return
    left = completion.by.time_left()
    if left is not None and left <= seconds:
        completion.by.pause(left)
        raise completion.by.expired()
    if seconds > 0:
        completion.by.pause(seconds)


def timeout(seconds: float | None) -> Limit:
    """See `asyncio.timeout`."""
    completion = _completion()
    return asyncio.timeout(seconds) if completion is None else _ThreadLimit(seconds, completion)


class _ExpiredError(BaseException):
    """Ends what runs inside a limit, unseen by it, as a cancellation does under an event loop."""

    def __init__(self, limit: _ThreadLimit) -> None:
        super().__init__()
        self.limit = limit


class _Completion:
    """One coroutine under way."""

    __slots__ = ("by", "limit", "loop")

    def __init__(self, by: Blocking) -> None:
        self.by = by
        self.limit: _ThreadLimit | None = None
        # A function of the application may run a loop of its own amid it, whose coroutines wait
        # as usual. One that runs already, as in a notebook, is blocked like any other thread.
        self.loop = asyncio._get_running_loop()  # noqa: SLF001 - exported; the other one raises


class _Here(threading.local):
    completion: _Completion | None = None


_HERE = _Here()


def _completion() -> _Completion | None:
    completion = _HERE.completion
    if completion is None or completion.loop is not asyncio._get_running_loop():  # noqa: SLF001
        return None
    return completion


def _first_limit() -> _ThreadLimit | None:
    completion = _completion()
    return None if completion is None or completion.limit is None else completion.limit.first


class _ThreadLimit:
    """`asyncio.timeout` for a thread: what blocks inside asks how long it may."""

    __slots__ = ("_completion", "_has_expired", "_outer", "_sooner", "end")

    def __init__(self, seconds: float | None, completion: _Completion) -> None:
        self._completion = completion
        self._has_expired = False
        self._outer: _ThreadLimit | None = None
        self._sooner: _ThreadLimit | None = None
        self.end = None if seconds is None else time.monotonic() + seconds

    @property
    def first(self) -> _ThreadLimit:
        """The one of this and those around it that ends first."""
        return self._sooner or self

    def when(self) -> float | None:
        """See `asyncio.Timeout.when`."""
        return self.end

    def expired(self) -> bool:
        """See `asyncio.Timeout.expired`."""
        return self._has_expired

    async def __aenter__(self) -> Self:
        self._outer = outer = self._completion.limit
        if outer is not None and outer.first.end is not None:
            is_sooner = self.end is None or self.end >= outer.first.end
            self._sooner = outer.first if is_sooner else None
        self._completion.limit = self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._completion.limit = self._outer
        if isinstance(error, _ExpiredError) and error.limit is self:
            self._has_expired = True
            raise TimeoutError from error


Limit: TypeAlias = asyncio.Timeout | _ThreadLimit
"""The limit of what runs inside `async with`, and whether that was it."""
