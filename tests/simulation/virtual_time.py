"""Virtual time: one thread, many event loops, and a clock that jumps when nothing is ready.

A `VirtualLoop` stands for one thread with an event loop; a `World` runs a callback of one loop at
a time, chosen by the seed, and lets no time pass while any loop has something to do. A loop can be
stalled (its callbacks wait) and killed (they never run, not even their `finally`).
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from itertools import count
from random import Random
from typing import Any, Final

LONGEST_BURST: Final = 100_000
"""Callbacks at one instant after which time is thought to stand still."""


_THREADS: Final[list[Any]] = []
"""The homes of the functions that run in threads right now."""


class StandstillError(AssertionError):
    """Something runs again and again without letting time pass."""


def thread_of() -> Any:
    """Return the home of the loop that put the running function into a thread."""
    return _THREADS[-1]


class World:
    """The clock and the loops that it drives.

    Args:
        random: Chooses among what could happen next.
    """

    def __init__(self, random: Random) -> None:
        self.now = 0.0
        self.random = random
        self.steps = 0
        self._loops: list[VirtualLoop] = []
        self._runnable: list[VirtualLoop] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._serials = count()
        self._burst = 0

    def time(self) -> float:
        """Return the seconds since the world began."""
        return self.now

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something happen outside of all loops."""
        heapq.heappush(self._agenda, (max(when, self.now), next(self._serials), what))

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen in that many seconds."""
        self.at(self.now + seconds, what)

    def new_loop(self, home: object) -> VirtualLoop:
        """Return another thread's event loop."""
        loop = VirtualLoop(self, home)
        self._loops.append(loop)
        return loop

    def run(self, until: float, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Run until that instant, or until `stop()` holds when time is about to move on.

        Raises:
            StandstillError: Time does not move on.
        """
        while True:
            while self._runnable:
                self._step()
            if stop():
                return
            if not self._agenda or self._agenda[0][0] > until:
                self.now = max(self.now, until)
                return
            when, _, what = heapq.heappop(self._agenda)
            if when > self.now:
                self.now = when
                self._burst = 0
            what()

    def note_runnable(self, loop: VirtualLoop) -> None:
        """Take note that a loop has something to do."""
        if loop not in self._runnable:
            self._runnable.append(loop)

    def note_idle(self, loop: VirtualLoop) -> None:
        """Take note that a loop has nothing to do, or may not do it."""
        if loop in self._runnable:
            self._runnable.remove(loop)

    def end(self) -> None:
        """Let go of every coroutine that has not ended, quietly."""
        for loop in self._loops:
            loop.kill()
        for loop in self._loops:
            loop.bury()

    def _step(self) -> None:
        runnable = self._runnable
        loop = runnable[0]
        if len(runnable) > 1:
            loop = runnable[int(self.random.random() * len(runnable))]
        self.steps += 1
        self._burst += 1
        if self._burst > LONGEST_BURST:
            raise StandstillError(f"time stands still at {self.now:.3f}")
        loop.step()


class VirtualLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that needs neither sockets nor signals.

    `home` is whatever the loop is part of: for the code that runs on it.
    """

    def __init__(self, world: World, home: object) -> None:
        self.world = world
        self.home = home
        self.is_dead = False
        self.is_stalled = False
        self._stalled_until = 0.0
        self.errors: list[dict[str, Any]] = []
        self.thread_pause: Callable[[], float] = lambda: 0.0
        """Gives the seconds that a function takes that is run in a thread."""
        self.threads = 0
        """Functions that run in threads right now."""
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: list[asyncio.Task[Any]] = []

    def step(self) -> None:
        """Run one callback."""
        handle = self._ready.popleft()
        if not self._ready:
            self.world.note_idle(self)
        if handle.cancelled():
            return
        asyncio._set_running_loop(self)
        try:
            handle._run()
        finally:
            asyncio._set_running_loop(None)

    def stall(self, seconds: float) -> None:
        """Run nothing for that long; the longest of several stalls counts."""
        self.is_stalled = True
        self._stalled_until = max(self._stalled_until, self.world.now + seconds)
        self.world.note_idle(self)
        self.world.after(seconds, self.resume)

    def resume(self) -> None:
        """Go on after a stall."""
        if self.world.now < self._stalled_until:
            return
        self.is_stalled = False
        if self._ready:
            self.world.note_runnable(self)

    def kill(self) -> None:
        """Run nothing any more."""
        self.is_dead = True
        self._ready.clear()
        self.world.note_idle(self)

    def bury(self) -> None:
        """Close what was running when the loop was killed; nothing of it matters any more."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task.done():
                continue
            task._log_destroy_pending = False
            try:
                task.get_coro().close()
            except RuntimeError:  # it went on awaiting in a `finally`
                continue

    def time(self) -> float:
        return self.world.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.is_dead

    def is_closed(self) -> bool:
        return self.is_dead

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._enqueue(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.world.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.world.at(when, lambda: None if handle.cancelled() else self._enqueue(handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        if len(self._tasks) > 200:
            self._tasks = [each for each in self._tasks if not each.done()]
        return task

    def run_in_executor(
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call the function after the time that the thread takes, whatever the loop does then."""
        future = self.create_future()

        def end() -> None:
            self.threads -= 1
            if self.is_dead:
                return
            _THREADS.append(self.home)
            try:
                result, error = func(*args), None
            except BaseException as raised:
                result, error = None, raised
            finally:
                _THREADS.pop()
            self.call_soon_threadsafe(_settle, future, result, error)

        self.threads += 1
        self.world.after(self.thread_pause(), end)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.errors.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to do: a cancelled timer is dropped when its time comes."""

    def _enqueue(self, handle: asyncio.Handle) -> None:
        if self.is_dead:
            return
        self._ready.append(handle)
        if not self.is_stalled:
            self.world.note_runnable(self)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
