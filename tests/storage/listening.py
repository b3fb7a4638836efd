"""Two storages on one database, and an ear on the first: what is heard of the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from durable_execution.storage import Storage, open_storage

PATIENCE = 30.0
QUIET = 0.2
"""Seconds in which nothing is heard, where nothing should be."""


class Ear:
    """Listens to a storage."""

    def __init__(self, storage: Storage) -> None:
        self._heard = asyncio.Event()
        self.calls = 0
        self.stop = storage.listen(self._hear)

    def _hear(self) -> None:
        self.calls += 1
        self._heard.set()

    async def hears(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._heard.wait()
        self._heard.clear()

    async def hears_nothing(self) -> None:
        self._heard.clear()
        await asyncio.sleep(QUIET)  # what does not come has no event
        assert not self._heard.is_set()


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    storage = open_storage(url)
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture
async def other(url: str, storage: Storage) -> AsyncIterator[Storage]:
    other = open_storage(url)
    await other.open()
    yield other
    await other.close()


@pytest.fixture
async def ear(storage: Storage) -> AsyncIterator[Ear]:
    ear = Ear(storage)
    await ear.hears()  # once, because it has just connected
    yield ear
    ear.stop()
