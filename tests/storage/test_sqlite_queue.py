"""What queues up for SQLite's one writer: one transaction for all, and each alone if one fails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from durable_execution._core import transitions as law
from durable_execution.errors import (
    DuplicateSleepingIdError,
    StorageError,
    StorageUnavailableError,
)
from durable_execution.storage import open_storage
from durable_execution.storage.sql import sqlite_lock
from durable_execution.testing.records import RecordBuilder
from durable_execution.testing.storage_suite import Harness
from tests.storage.hands import HandClock

MAKE = RecordBuilder("q")


class Writer:
    """Holds the writer back while calls queue up, and hears what it runs."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._may_go = threading.Event()
        self._may_go.set()
        self._is_held = threading.Event()

    def hear(self, text: str) -> None:
        self.heard.append(text)
        self._is_held.set()
        assert self._may_go.wait(30)

    @contextmanager
    def held(self) -> Iterator[None]:
        self._is_held.clear()
        self._may_go.clear()
        try:
            yield
        finally:
            self._may_go.set()

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self._is_held.wait, 30)

    def count(self, start: str) -> int:
        return sum(text.startswith(start) for text in self.heard)


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
async def harness(tmp_path: Path, clock: HandClock, writer: Writer) -> AsyncIterator[Harness]:
    storage = open_storage(f"sqlite:///{tmp_path}/tasks.db", clock=clock, on_statement=writer.hear)

    async def no_second() -> None:
        raise AssertionError("there is no second storage here")

    await storage.open()
    yield Harness(storage, advance=clock.advance, open_second=no_second)
    await storage.close()


async def test_calls_that_queue_up_share_a_commit(harness: Harness, writer: Writer) -> None:
    storage = harness.storage
    (running,) = await harness.running(1)
    done = law.complete(running, output=b"7", now=await storage.now())
    first, second, third = MAKE.roots(1, 3)
    async with asyncio.TaskGroup() as group:
        with writer.held():
            group.create_task(storage.insert([first]))
            await writer.has_begun()
            writer.heard.clear()
            group.create_task(storage.insert([second]))
            applying = group.create_task(storage.apply([done]))
            group.create_task(storage.insert([third]))
            await asyncio.sleep(0)  # all of them are queued by their first step
    assert writer.count("BEGIN") == 1
    assert applying.result().matched == (True,)
    ids = [each.execution_id for each in (first, second, third, running)]
    found = await storage.get(ids)
    assert [row and row.status for row in found] == ["ready", "ready", "ready", "completed"]


async def test_call_that_fails_is_no_matter_of_its_neighbours(
    harness: Harness, writer: Writer
) -> None:
    storage = harness.storage
    first, good = MAKE.roots(1, 2)
    twin = MAKE.sleeper(1, "taken")
    await storage.insert([MAKE.sleeper(1, "taken")])
    with writer.held():
        begun = asyncio.create_task(storage.insert([first]))
        await writer.has_begun()
        calls = [asyncio.create_task(storage.insert([row])) for row in (twin, good)]
        await asyncio.sleep(0)  # both are queued by their first step
    await begun
    refused, taken = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(refused, DuplicateSleepingIdError)
    assert taken == [None]
    found = await storage.get([twin.execution_id, good.execution_id])
    assert [row and row.execution_id for row in found] == [None, good.execution_id]


async def test_call_that_is_cancelled_in_the_queue_does_not_run(
    harness: Harness, writer: Writer
) -> None:
    storage = harness.storage
    first, left, last = MAKE.roots(1, 3)
    async with asyncio.TaskGroup() as group:
        with writer.held():
            group.create_task(storage.insert([first]))
            await writer.has_begun()
            leaving = group.create_task(storage.insert([left]))
            group.create_task(storage.insert([last]))
            await asyncio.sleep(0)  # both are queued by their first step
            leaving.cancel()
            await asyncio.sleep(0)  # the cancellation reaches the queue
    found = await storage.get([left.execution_id, last.execution_id])
    assert [row and row.execution_id for row in found] == [None, last.execution_id]


async def test_calls_that_find_the_file_locked_hear_of_it_together(
    harness: Harness, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_lock, "BUSY_TIMEOUT", 0.05)
    other = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
    storage, (first, *rest) = harness.storage, MAKE.roots(1, 3)
    with writer.held():
        calls = [asyncio.create_task(storage.insert([first]))]
        await writer.has_begun()
        writer.heard.clear()
        other.execute("BEGIN IMMEDIATE")
        calls += [asyncio.create_task(storage.insert([row])) for row in rest]
        await asyncio.sleep(0)  # both are queued by their first step
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StorageUnavailableError] * 3
    assert writer.count("BEGIN") == 1
    other.execute("ROLLBACK")
    other.close()
    assert await storage.insert(rest) == [None, None]


async def test_reads_see_the_writes_before_them_and_no_others() -> None:
    storage = open_storage("sqlite://")  # has one connection for everything
    await storage.open()
    rows = MAKE.roots(1, 3)
    ids = [each.execution_id for each in rows]
    _, _, early, _, late = await asyncio.gather(
        storage.insert(rows[:1]),
        storage.insert(rows[1:2]),
        storage.get(ids),
        storage.insert(rows[2:]),
        storage.get(ids),
    )
    assert [row and row.execution_id for row in early] == [*ids[:2], None]
    assert [row and row.execution_id for row in late] == ids
    await storage.close()


async def test_queue_ends_with_the_storage(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/tasks.db")
    await storage.open()
    calls = [asyncio.create_task(storage.insert([row])) for row in MAKE.roots(1, 5)]
    await asyncio.sleep(0)  # all of them are queued by their first step
    await storage.close()
    assert await asyncio.gather(*calls) == [[None]] * 5
    with pytest.raises(StorageError, match="not open"):
        await storage.insert(MAKE.roots(1, 1))
