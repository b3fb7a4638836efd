"""Group commit: what arrives while one flush is under way goes out together in the next.

No timer: an idle system pays no delay, and a busy one gets large batches by itself.
"""

from __future__ import annotations

import asyncio
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

    def done(self) -> bool:
        """Whether nobody listens any more."""
        ...

    def set_result(self, result: HeardT, /) -> None:
        """Take the result. Must neither block nor raise."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """Take the reason why there is none. Must neither block nor raise."""
        ...


class Batcher(Generic[ItemT, ResultT]):
    """Collects items and flushes them in batches; every caller gets the result of its own item.

    A flush that fails is split to find the bad item, so that one item never fails its neighbours;
    when the storage cannot be reached the items fail together, and the caller decides about again.
    `told` hears of every flush.
    """

    def __init__(
        self, flush: Flush[ItemT, ResultT], *, limit: int, told: OnFlush | None = None
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._told = told
        self._pending: list[tuple[ItemT, Receiver[ResultT]]] = []
        self._is_needed = asyncio.Event()
        self._is_closed = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def submit(self, item: ItemT) -> asyncio.Future[ResultT]:
        """Add an item to the next batch and return the future of its result.

        Raises:
            ExecutorShutDownError: The batcher is closed.
        """
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self.add(item, future)
        return future

    def add(self, item: ItemT, receiver: Receiver[ResultT]) -> None:
        """Add an item to the next batch, and tell the receiver its result.

        Raises:
            ExecutorShutDownError: The batcher is closed.
        """
        if self._is_closed:
            raise ExecutorShutDownError("Executor is shut down")
        if not self._pending:
            self._is_idle.clear()
            self._is_needed.set()
        self._pending.append((item, receiver))

    async def run(self) -> None:
        """Flush batch after batch until cancelled."""
        try:
            while True:
                if not self._pending:
                    self._is_idle.set()
                    self._is_needed.clear()
                    await self._is_needed.wait()
                batch = self._pending[: self._limit]
                del self._pending[: self._limit]
                if self._told is None:
                    await self._settle(batch)
                else:
                    loop = asyncio.get_running_loop()
                    began_at = loop.time()
                    await self._settle(batch)
                    self._told(len(batch), loop.time() - began_at)
        finally:
            self._is_closed = True
            self._fail_pending()

    async def drained(self) -> None:
        """Wait until nothing is pending and no flush is under way."""
        await self._is_idle.wait()

    async def _settle(self, batch: list[tuple[ItemT, Receiver[ResultT]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except StorageUnavailableError as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])
        except BaseException:
            _fail(batch, ExecutorShutDownError("Executor is shut down"))
            raise
        else:
            for (_, receiver), result in zip(batch, results, strict=True):
                if not receiver.done():
                    receiver.set_result(result)

    def _fail_pending(self) -> None:
        pending, self._pending = self._pending, []
        _fail(pending, ExecutorShutDownError("Executor is shut down"))
        self._is_idle.set()


def _fail(batch: list[tuple[ItemT, Receiver[ResultT]]], error: Exception) -> None:
    for _, receiver in batch:
        if not receiver.done():
            receiver.set_exception(error)
