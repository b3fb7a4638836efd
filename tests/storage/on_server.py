"""A storage on the server at `url`, and others on the same database, by its own clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from durable_execution.storage import SqlStorage, open_storage
from durable_execution.testing.storage_suite import Harness


@pytest.fixture
def statements() -> list[str]:
    """What the storages of the harness have asked."""
    return []


@pytest.fixture
async def harness(url: str, statements: list[str]) -> AsyncIterator[Harness]:
    opened: list[SqlStorage] = []

    async def open_one() -> SqlStorage:
        storage = open_storage(url, on_statement=statements.append)
        assert isinstance(storage, SqlStorage)
        await storage.open()
        opened.append(storage)
        return storage

    async def advance(milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)  # the database's clock is the real one

    yield Harness(await open_one(), advance=advance, open_second=open_one)
    for storage in opened:
        await storage.close()
