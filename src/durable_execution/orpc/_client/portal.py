"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from durable_execution._waiting import blocking

T = TypeVar("T")

_Mail = Callable[[], Any] | None  # None says that the call is over
_MAILBOX: Final[ContextVar[SimpleQueue[_Mail] | None]] = ContextVar("mailbox", default=None)


async def in_caller(function: Callable[[], T]) -> T:
    """Run a function of the application in the thread of whoever waits for this call.

    It may block there, and finds its thread's own things, such as a connection to a database.
    Under an event loop that has no such caller it runs where it is.
    """
    mailbox = _MAILBOX.get()
    if mailbox is None or blocking() is not None:
        return function()
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    def run() -> None:
        value: Any = None
        error: Exception | None = None
        try:
            value = function()
        except StopIteration as stop:  # which no future can carry
            error = RuntimeError("a function of the application raised StopIteration")
            error.__cause__ = stop
        except Exception as raised:
            error = raised
        loop.call_soon_threadsafe(settle, value, error)

    mailbox.put(run)
    return await answer


class Portal:
    """Runs coroutines in a thread for callers in any other. The thread begins with the first.

    A process that was forked gets a thread of its own. Left to the garbage collector, the thread
    ends by itself; `close` waits for that.

    Args:
        name: What errors call it.
        on_close: Runs in the thread before that ends, when it has begun at all.
    """

    def __init__(self, name: str, on_close: Callable[[], Awaitable[None]] | None = None) -> None:
        self._name = name
        self._on_close = on_close
        self._is_closed = False
        self._lock = threading.Lock()
        self._thread: _LoopThread | None = None
        self._process = os.getpid()

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end, and give what it gives.

        An exception that interrupts the waiting, such as KeyboardInterrupt, cancels it.

        Raises:
            RuntimeError: The portal is closed, or this is its own thread, which would wait for
                itself.
            BaseException: What the coroutine raises.
        """
        mailbox: SimpleQueue[_Mail] = SimpleQueue()
        call = _Call(function, mailbox)
        loop = self._begin(call)
        try:
            while (mail := mailbox.get()) is not None:
                mail()
        except BaseException:
            loop.call_soon_threadsafe(call.cancel)
            raise
        try:
            return call.outcome()  # type: ignore[no-any-return] # the coroutine's own
        except asyncio.CancelledError as error:
            raise RuntimeError(f"{self._name} was closed while a call was under way") from error

    def close(self) -> None:
        """End the thread and what runs in it. Closing twice is allowed."""
        if self._process != os.getpid():
            self._is_closed = True
            return
        with self._lock:
            self._is_closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
            if threading.current_thread() is not thread.thread:
                thread.thread.join()

    def _begin(self, call: _Call) -> asyncio.AbstractEventLoop:
        if self._process != os.getpid():
            # Threads do not survive a fork, and a lock may have been held by one of them.
            self._process, self._lock, self._thread = os.getpid(), threading.Lock(), None
        with self._lock:
            if self._is_closed:
                raise RuntimeError(f"{self._name} is closed")
            if self._thread is None:
                self._thread = _LoopThread(self._name, self._on_close)
                weakref.finalize(self, self._thread.stop)
            thread = self._thread
            if threading.current_thread() is thread.thread:
                raise RuntimeError(
                    f"{self._name} was called by something that runs inside of it, which would "
                    "wait for itself; use the asynchronous client there"
                )
            # Under the lock: what is begun before `close` is cancelled by it, never forgotten.
            thread.loop.call_soon_threadsafe(call.begin)
        return thread.loop


class _LoopThread:
    """The thread, which does not know its portal: that can be collected while it runs."""

    def __init__(self, name: str, on_close: Callable[[], Awaitable[None]] | None) -> None:
        self._on_close = on_close
        self._process = os.getpid()
        self._has_begun = threading.Event()
        self._is_over: asyncio.Event | None = None
        self.loop: asyncio.AbstractEventLoop
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()
        self._has_begun.wait()

    def stop(self) -> None:
        if self._process != os.getpid() or self._is_over is None or self.loop.is_closed():
            return
        try:
            self.loop.call_soon_threadsafe(self._is_over.set)
        except RuntimeError:  # the loop was closed in between
            return

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._is_over = asyncio.Event()
        self._has_begun.set()
        await self._is_over.wait()
        if self._on_close is not None:
            await self._on_close()


class _Call:
    """One coroutine under way, and the mailbox of the thread that waits for it."""

    def __init__(
        self, function: Callable[[], Coroutine[Any, Any, Any]], mailbox: SimpleQueue[_Mail]
    ) -> None:
        self._function = function
        self._mailbox = mailbox
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        _MAILBOX.set(self._mailbox)  # in a copy of the caller's context, which the task gets
        self._task = asyncio.create_task(self._function())
        self._task.add_done_callback(lambda _: self._mailbox.put(None))

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def outcome(self) -> Any:
        task, self._task = self._task, None
        assert task is not None  # noqa: S101 - it is over, so it has begun
        try:
            return task.result()
        finally:
            del task  # or the error would hold this frame, which holds it
