from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from durable_execution.storage import Storage, open_storage
from durable_execution.storage.sql import sqlite_watch
from durable_execution.testing.records import RecordBuilder

QUIET = 8 * sqlite_watch.INTERVAL
"""Seconds in which a watch looks several times and past what counts as unsettled."""


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
async def storage(tmp_path: Path, heard: list[str]) -> AsyncIterator[Storage]:
    storage = open_storage(
        f"sqlite:///{tmp_path}/tasks.db", on_statement=lambda text: heard.append(text)
    )
    await storage.open()
    yield storage
    await storage.close()


def _write_from_outside(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "tasks.db")
    connection.execute(
        "INSERT INTO durable_executors (executor_id, lease_expires_at) "
        "VALUES (hex(randomblob(8)), 1)"
    )
    connection.commit()
    connection.close()


async def _baseline() -> None:
    await asyncio.sleep(QUIET)  # the watch learns the state of the files by looking


async def test_change_by_another_process_is_told(storage: Storage, tmp_path: Path) -> None:
    changed = asyncio.Event()
    stop = storage.listen(changed.set)
    await _baseline()
    for _ in range(3):
        assert not changed.is_set()
        _write_from_outside(tmp_path)
        async with asyncio.timeout(30):
            await changed.wait()
        changed.clear()
        await asyncio.sleep(QUIET)  # nothing more may be told of a change that was told
    stop()


async def test_own_changes_are_not_told(storage: Storage) -> None:
    calls: list[None] = []
    stop = storage.listen(lambda: calls.append(None))
    await _baseline()
    for record in RecordBuilder().roots(1, 5):
        await storage.insert([record])
    await asyncio.sleep(QUIET)  # silence can only be waited for
    assert calls == []
    stop()


async def test_idle_watch_asks_the_database_nothing(storage: Storage, heard: list[str]) -> None:
    stop = storage.listen(lambda: None)
    await _baseline()
    heard.clear()
    await asyncio.sleep(QUIET)  # silence can only be waited for
    assert heard == []
    stop()


async def test_ended_listening_is_silent(storage: Storage, tmp_path: Path) -> None:
    calls: list[None] = []
    stop = storage.listen(lambda: calls.append(None))
    await _baseline()
    stop()
    _write_from_outside(tmp_path)
    await asyncio.sleep(QUIET)  # silence can only be waited for
    assert calls == []


async def test_closing_the_storage_ends_the_watch(storage: Storage, tmp_path: Path) -> None:
    calls: list[None] = []
    storage.listen(lambda: calls.append(None))
    await _baseline()
    await storage.close()
    _write_from_outside(tmp_path)
    await asyncio.sleep(QUIET)  # silence can only be waited for
    assert calls == []


async def test_siblings_of_a_database_in_memory_share_it() -> None:
    storage = open_storage("sqlite://")
    await storage.open()
    assert callable(storage.listen(lambda: None))
    row = RecordBuilder().root(1)
    await storage.insert([row])
    sibling = storage.sibling()
    await sibling.open()
    await storage.close()
    assert await sibling.get([row.execution_id]) == [row]
    await sibling.close()
