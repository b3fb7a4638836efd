"""Group commit: what arrives while one flush is under way goes out together in the next.

No timer: an idle system pays no delay, and a busy one gets large batches by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from durable_execution.errors import ExecutorShutDownError, StorageUnavailableError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
HeardT = TypeVar("HeardT", contravariant=True)

Flush = Callable[[list[ItemT]], Awaitable[Sequence[ResultT]]]


OnFlush = Callable[[int, float], None]
"""Hears how many items a flush took, and how many seconds."""


class Receiver(Protocol[HeardT]):
    """Who hears what became of an item. A future is one; others spare a turn of the loop."""

    def set_result(self, result: HeardT, /) -> None:
        """Take the result. Must neither block nor raise but as a future does that is cancelled."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """Take the reason why there is none, likewise."""
        ...


class Batcher(Generic[ItemT, ResultT]):
    """Collects items and flushes them in batches; every caller gets the result of its own item.

    A flush that fails is split to find the bad item, so that one item never fails its neighbours;
    when the storage cannot be reached the items fail together, and the caller decides about again.
    `told` hears of every flush. Belongs to the event loop that it is made on.
    """

    def __init__(
        self, flush: Flush[ItemT, ResultT], *, limit: int, told: OnFlush | None = None
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._told = told
        self._items: list[ItemT] = []
        self._receivers: list[Receiver[ResultT]] = []
        """Who hears of each of the items."""
        self._loop = asyncio.get_running_loop()  # asked for once: each time is a system call
        self._is_needed = asyncio.Event()
        self._is_closed = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def submit(self, item: ItemT) -> asyncio.Future[ResultT]:
        """Add an item to the next batch and return the future of its result.

        Raises:
            ExecutorShutDownError: The batcher is closed.
        """
        future: asyncio.Future[ResultT] = self._loop.create_future()
        self.add(item, future)
        return future

    def add(self, item: ItemT, receiver: Receiver[ResultT]) -> None:
        """Add an item to the next batch, and tell the receiver its result.

        Raises:
            ExecutorShutDownError: The batcher is closed.
        """
        if self._is_closed:
            raise ExecutorShutDownError("Executor is shut down")
        if not self._items:
            self._is_idle.clear()
            self._is_needed.set()
        self._items.append(item)
        self._receivers.append(receiver)

    async def run(self) -> None:
        """Flush batch after batch until cancelled."""
        try:
            while True:
                if not self._items:
                    self._is_idle.set()
                    self._is_needed.clear()
                    await self._is_needed.wait()
                items, receivers = self._items[: self._limit], self._receivers[: self._limit]
                del self._items[: self._limit], self._receivers[: self._limit]
                if self._told is None:
                    await self._settle(items, receivers)
                else:
                    began_at = self._loop.time()
                    await self._settle(items, receivers)
                    self._told(len(items), self._loop.time() - began_at)
        finally:
            self._is_closed = True
            self._fail_pending()

    async def drained(self) -> None:
        """Wait until nothing is pending and no flush is under way."""
        await self._is_idle.wait()

    async def _settle(self, items: list[ItemT], receivers: list[Receiver[ResultT]]) -> None:
        try:
            results = await self._flush(items)
        except StorageUnavailableError as error:
            _fail(receivers, error)
        except Exception as error:
            if len(items) == 1:
                _fail(receivers, error)
                return
            middle = len(items) // 2
            await self._settle(items[:middle], receivers[:middle])
            await self._settle(items[middle:], receivers[middle:])
        except BaseException:
            _fail(receivers, ExecutorShutDownError("Executor is shut down"))
            raise
        else:
            for receiver, result in zip(receivers, results, strict=True):
                try:
                    receiver.set_result(result)
                except asyncio.InvalidStateError:  # a future that nobody waits for any more
                    continue

    def _fail_pending(self) -> None:
        pending, self._receivers = self._receivers, []
        self._items = []
        _fail(pending, ExecutorShutDownError("Executor is shut down"))
        self._is_idle.set()


def _fail(receivers: list[Receiver[ResultT]], error: Exception) -> None:
    for receiver in receivers:
        with contextlib.suppress(asyncio.InvalidStateError):  # as above
            receiver.set_exception(error)
