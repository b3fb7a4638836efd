"""Group commit: what gathers while one write is under way goes out together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Group(Generic[ItemT]):
    """Writes items, all that are there at a time; `add` returns when its item is written."""

    def __init__(self, write: Callable[[Sequence[ItemT]], Awaitable[object]], limit: int) -> None:
        self._write = write
        self._limit = limit
        self._items: list[tuple[ItemT, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    def add(self, item: ItemT) -> asyncio.Future[None]:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._items.append((item, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return written

    async def _write_all(self) -> None:
        await asyncio.sleep(0)  # whoever runs in the same turn of the loop joins
        while self._items:
            batch, self._items = self._items[: self._limit], self._items[self._limit :]
            await self._write([item for item, _ in batch])
            for _, written in batch:
                if not written.done():
                    written.set_result(None)
        self._writing = None
