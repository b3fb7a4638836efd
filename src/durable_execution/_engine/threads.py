"""The threads that plain functions run in, and the way there and back.

Many functions are short, and a thread is expensive to talk to: every wake-up of one, and of the
event loop by one, is a hand-over of the interpreter's lock. So whoever ends takes the next call
without asking the loop, and all that have ended since its last look wake the loop once. That takes
a quarter of what `concurrent.futures` and `run_in_executor` take (decision 30).
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol

from durable_execution._engine.ahead import Ahead

NAME: Final = "durable-execution"


class NotBegunError(Exception):
    """The call was taken back before a thread had begun with it."""


class Call:
    """One call of a function in a thread. Belongs to the event loop, but for `begin`.

    Args:
        home: Where it waits for a thread.
        asked_at: When that began, by a clock that never runs backwards.
    """

    __slots__ = (
        "_asked_at",
        "_began_at",
        "_error",
        "_home",
        "_ticket",
        "_value",
        "_waiter",
        "has_ended",
        "seconds",
    )

    def __init__(self, home: Threads, asked_at: float) -> None:
        self.has_ended = False
        self.seconds = 0.0
        """How long the function took."""
        self._home = home
        self._asked_at = asked_at
        self._began_at: float | None = None
        self._ticket = [None]
        """Whoever takes it out decides whether the function is called: a thread, or who waits."""
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin(self, now: float) -> bool:
        """Take note, in the thread, that the function is called now, if it still should be."""
        is_wanted = self._take_ticket()
        if is_wanted:
            self._began_at = now
        return is_wanted

    def withdraw(self) -> bool:
        """Take the call back; False if its function has been called."""
        if self.has_ended or not self._take_ticket():
            return False
        self._home.forget(self)
        self.end(None, NotBegunError())
        return True

    def time_out(self) -> None:
        """Take the call back because it has waited for too long."""
        if self.withdraw():
            self._home.ahead.note_vain_wait()

    def waited(self, now: float) -> float:
        """Return for how many seconds it has waited for a thread."""
        began_at = self._began_at
        return (now if began_at is None else began_at) - self._asked_at

    async def ended(self) -> None:
        """Wait until the function has returned. Whoever is cancelled here may wait again."""
        if not self.has_ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def result(self) -> Any:
        """Return what the function returned, or raise what it raised; to be asked once.

        Raises:
            NotBegunError: It was not called.
        """
        error, self._error = self._error, None
        if error is None:
            return self._value
        try:
            if isinstance(error, StopIteration):  # which would look like the coroutine's own end
                raise RuntimeError("the task raised StopIteration") from error
            raise error
        finally:
            del error  # or the exception would hold the frame that holds the exception

    def end(self, value: Any, error: BaseException | None) -> None:
        """Take what became of it."""
        self.has_ended = True
        self._value, self._error = value, error
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _take_ticket(self) -> bool:
        try:
            self._ticket.pop()
        except IndexError:
            return False
        return True


class Threads(Protocol):
    """Calls functions beside the event loop."""

    ahead: Ahead
    """How many calls may wait for a thread."""

    @property
    def is_crowded(self) -> bool:
        """Whether a call may have to wait."""
        ...

    def call(self, function: Callable[..., Any], *arguments: Any) -> Call:
        """Have a function called. What it needs of the current context, it brings along."""
        ...

    def forget(self, call: Call) -> None:
        """Take note that a call was taken back."""
        ...

    def close(self) -> None:
        """Let the threads end once nothing is left to call, and wait for none."""
        ...


class _Job(NamedTuple):
    call: Call
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class WorkerThreads:
    """Threads that are started when first needed, and stay.

    Nothing can stop a function. At the end of the process those at work are waited for, so that
    none is cut off in the middle.

    Args:
        most: How many there may be; further calls wait for one, in their order.
    """

    def __init__(self, most: int) -> None:
        self.ahead = Ahead(most)
        self._most = most
        self._threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ended: deque[tuple[Call, Any, BaseException | None]] = deque()
        self._is_loop_told = False
        """Whether the loop is going to look at what has ended."""
        self._under_way = 0
        """Calls of which the loop does not know yet that they have ended."""
        self._is_closed = False

    @property
    def is_crowded(self) -> bool:
        """Whether a call may have to wait."""
        return self._under_way > self._most

    def call(self, function: Callable[..., Any], *arguments: Any) -> Call:
        """Have a function called.

        Raises:
            RuntimeError: The threads are closed.
        """
        if self._is_closed:
            raise RuntimeError("the threads of this executor have ended")
        call = Call(self, monotonic())
        self._under_way += 1
        if self._under_way > len(self._threads) < self._most:
            self._start_thread()
        self._jobs.put(_Job(call, function, arguments))
        return call

    def forget(self, call: Call) -> None:
        """Take note that a call was taken back."""
        self._under_way -= 1

    def close(self) -> None:
        """Let the threads end once nothing is left to call, and wait for none."""
        if self._is_closed:
            return
        self._is_closed = True
        for _ in self._threads:
            self._jobs.put(None)
        if not self._under_way:
            atexit.unregister(self._end_with_process)

    def _start_thread(self) -> None:
        if not self._threads:
            atexit.register(self._end_with_process)
        # A daemon, because the interpreter waits for others before it calls what `atexit` holds,
        # and nobody would have told those that are idle to end.
        name = f"{NAME}_{len(self._threads)}"
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._work, args=(loop,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._jobs
        while (job := jobs.get()) is not None:
            self._run(job)
            del job  # nothing is kept alive by a thread that waits
            if self._ended and not self._is_loop_told:
                self._is_loop_told = True
                self._tell(loop)

    def _run(self, job: _Job) -> None:
        call = job.call
        began_at = monotonic()
        if not call.begin(began_at):
            return
        try:
            value = job.function(*job.arguments)
        except BaseException as error:
            call.seconds = monotonic() - began_at
            self._ended.append((call, None, error))
        else:
            call.seconds = monotonic() - began_at
            self._ended.append((call, value, None))

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._take_ended)
        except RuntimeError:
            if not loop.is_closed():  # after which nobody wants to know
                raise

    def _take_ended(self) -> None:
        # First, or what ends while this looks would tell nobody.
        self._is_loop_told = False
        while self._ended:
            call, value, error = self._ended.popleft()
            self._under_way -= 1
            self.ahead.note(call.seconds)
            call.end(value, error)

    def _end_with_process(self) -> None:
        self.close()
        for thread in self._threads:
            thread.join()
