from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from durable_execution._core import transitions as law
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StorageError, StorageUnavailableError
from durable_execution.storage import open_storage
from durable_execution.storage.search import Search
from durable_execution.storage.sql import sqlite_driver, sqlite_lock
from durable_execution.testing.records import RecordBuilder
from durable_execution.testing.storage_suite import Harness
from tests.storage.hands import HandClock


class Statements:
    """What the storage ran."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def count(self, start: str) -> int:
        return sum(text.startswith(start) for text in self.heard)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


@pytest.fixture
def statements() -> Statements:
    return Statements()


@pytest.fixture
async def harness(file: Path, clock: HandClock, statements: Statements) -> AsyncIterator[Harness]:
    storage = open_storage(
        f"sqlite:///{file}", clock=clock, on_statement=lambda text: statements.heard.append(text)
    )

    async def no_second() -> None:
        raise AssertionError("there is no second storage here")

    await storage.open()
    yield Harness(storage, advance=clock.advance, open_second=no_second)
    await storage.close()


async def test_batch_that_matches_costs_one_statement(
    harness: Harness, statements: Statements
) -> None:
    rows = await harness.running(100)
    statements.heard.clear()
    await harness.complete(*rows)
    assert [text.split()[0] for text in statements.heard] == ["BEGIN", "UPDATE", "COMMIT"]


async def test_batch_with_a_stale_row_is_begun_again_row_by_row(
    harness: Harness, statements: Statements
) -> None:
    rows = await harness.running(10)
    now = await harness.storage.now()
    moves = [law.complete(row, output=b"", now=now) for row in rows]
    await harness.storage.apply(moves[4:5])
    statements.heard.clear()
    applied = await harness.storage.apply(moves)
    assert applied.matched == (True,) * 4 + (False,) + (True,) * 5
    assert statements.count("BEGIN") == 2
    assert statements.count("COMMIT") == 1


@pytest.mark.parametrize("number", [1, 2, 3, 7, 8, 63, 64, 65, 200])
async def test_batch_of_any_size_is_written_whole(harness: Harness, number: int) -> None:
    rows = await harness.running(number)
    now = await harness.storage.now()
    outputs = [b"%d" % place for place in range(number)]
    moves = [
        law.complete(row, output=output, now=now) for row, output in zip(rows, outputs, strict=True)
    ]
    assert (await harness.storage.apply(moves)).matched == (True,) * number
    found = await harness.storage.get([row.execution_id for row in rows])
    assert [row and (row.status, row.output) for row in found] == [
        ("completed", output) for output in outputs
    ]


async def test_stale_rows_are_told_apart_in_every_part_of_a_batch(harness: Harness) -> None:
    rows = await harness.running(150)
    stale = {0, 63, 64, 127, 128, 135, 136, 149}
    now = await harness.storage.now()
    moves = [law.complete(row, output=b"new", now=now) for row in rows]
    await harness.storage.apply([moves[place] for place in stale])
    again = [law.complete(row, output=b"late", now=now) for row in rows]
    assert (await harness.storage.apply(again)).matched == tuple(
        place not in stale for place in range(150)
    )
    found = await harness.storage.get([row.execution_id for row in rows])
    assert [row and row.output for row in found] == [
        b"new" if place in stale else b"late" for place in range(150)
    ]


async def test_batch_of_stale_rows_is_not_repeated(
    harness: Harness, statements: Statements
) -> None:
    rows = await harness.running(10)
    await harness.complete(*rows)
    statements.heard.clear()
    now = await harness.storage.now()
    applied = await harness.storage.apply([law.hand_back(row, now=now) for row in rows])
    assert applied.matched == (False,) * 10
    assert statements.count("BEGIN") == 1


async def test_looking_for_orphans_of_the_living_is_one_cheap_question(
    harness: Harness, statements: Statements
) -> None:
    await harness.running(1)
    statements.heard.clear()
    assert await harness.storage.orphans(10) == []
    assert statements.count("SELECT") == 1
    assert "durable_task_executions" not in "".join(statements.heard)


async def test_reads_do_not_wait_for_another_writer(harness: Harness, file: Path) -> None:
    (row,) = await harness.insert_roots(1)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        async with asyncio.timeout(1):
            await harness.expect(row)
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.parametrize(("number", "is_near"), [(1, True), (32, True), (33, False)])
async def test_few_rows_are_read_in_the_thread_that_asks(
    tmp_path: Path, number: int, is_near: bool
) -> None:
    heard: list[tuple[str, int]] = []
    storage = open_storage(
        f"sqlite:///{tmp_path}/tasks.db",
        on_statement=lambda text: heard.append((text, threading.get_ident())),
    )
    await storage.open()
    rows = RecordBuilder().roots(1, number)
    await storage.insert(rows)
    heard.clear()
    found = await storage.get([row.execution_id for row in rows])
    assert [row and row.execution_id for row in found] == [row.execution_id for row in rows]
    (thread,) = [thread for text, thread in heard if text.startswith("SELECT")]
    assert (thread == threading.get_ident()) == is_near
    await storage.close()


async def test_lock_that_stays_is_unavailable_and_passes(
    file: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_lock, "BUSY_TIMEOUT", 0.05)
    storage = open_storage(f"sqlite:///{file}", clock=clock)
    await storage.open()
    harness = Harness(storage, advance=clock.advance, open_second=storage.open)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailableError, match="another process kept the database locked"):
        await harness.insert_roots(1)
    other.execute("ROLLBACK")
    other.close()
    (row,) = await harness.insert_roots(1)
    await harness.expect(row)
    await storage.close()


def _broken(row: ExecutionRecord) -> list[ExecutionRecord]:
    replace = msgspec.structs.replace
    return [
        replace(row, status="unheard of"),
        replace(row, finished_at=1),
        replace(row, active_children_count=1),
        replace(row, active_children_count=-1, status="waiting_for_children"),
        replace(row, status="running"),
        replace(row, status="waiting_for_children", finished_at=1),
        replace(row, status="completed"),
        replace(row, status="failed", finished_at=1),
        replace(row, status="cancelled", finished_at=1),
        replace(row, sleeping_unique_id="a sleeper is never ready"),
    ]


async def test_rows_that_break_an_invariant_are_refused(harness: Harness) -> None:
    row = harness.records.root(await harness.storage.now())
    for broken in _broken(row):
        neighbour = harness.records.root(await harness.storage.now())
        with pytest.raises(StorageError, match="would break an invariant") as raised:
            await harness.storage.insert([neighbour, broken])
        assert not isinstance(raised.value, StorageUnavailableError)
        assert await harness.storage.get([neighbour.execution_id]) == [None]


@pytest.mark.parametrize("change", [{"timeout_ms": 2**63}, {"task_id": "\ud800"}], ids=ascii)
async def test_values_that_do_not_fit_are_refused(
    harness: Harness, change: dict[str, object]
) -> None:
    row = msgspec.structs.replace(harness.records.root(1), **change)
    with pytest.raises(StorageError, match="a value cannot be stored"):
        await harness.storage.insert([row])
    assert await harness.storage.get([row.execution_id]) == [None]


async def test_full_disk_may_pass(harness: Harness) -> None:
    driver = harness.storage._driver
    (kept,) = await harness.insert_roots(1)
    pages = await asyncio.wrap_future(driver._writer.ask("page_count"))
    await asyncio.wrap_future(driver._writer.ask(f"max_page_count = {pages}"))
    large = harness.records.root(1, input=b"x" * 1_000_000)
    with pytest.raises(StorageUnavailableError, match="the disk is full"):
        await harness.storage.insert([large])
    await asyncio.wrap_future(driver._writer.ask("max_page_count = 1000000"))
    await harness.storage.insert([large])
    await harness.expect(kept, large)


async def test_file_that_is_no_database(file: Path) -> None:
    file.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StorageError, match="no SQLite database"):
        await open_storage(f"sqlite:///{file}").open()


async def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="directory must exist"):
        await open_storage(f"sqlite:///{tmp_path}/missing/tasks.db").open()


async def test_read_only_database(harness: Harness, file: Path) -> None:
    await harness.storage.close()
    read_only = open_storage(f"sqlite:///{file}")
    driver = read_only._driver
    await read_only.open()
    await asyncio.wrap_future(driver._writer._thread.submit(_make_read_only, driver._writer))
    with pytest.raises(StorageError, match="read-only; the storage must write") as raised:
        await read_only.insert([harness.records.root(1)])
    assert not isinstance(raised.value, StorageUnavailableError)
    await read_only.close()


def _make_read_only(connection: sqlite_driver.SqliteConnection) -> None:
    connection._connection.execute("PRAGMA query_only = ON")


async def test_failing_to_open_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(StorageError):
        await open_storage(f"sqlite:///{tmp_path}/missing/tasks.db").open()
    assert threading.active_count() == before


async def test_closing_ends_the_threads_and_empties_the_log(file: Path) -> None:
    before = threading.active_count()
    storage = open_storage(f"sqlite:///{file}")
    await storage.open()
    assert threading.active_count() == before + 3
    await storage.close()
    assert threading.active_count() == before
    assert [path.name for path in file.parent.iterdir()] == ["tasks.db"]


@pytest.mark.parametrize(("url_end", "level"), [("", 2), ("?synchronous=NORMAL", 1)])
async def test_synchronous(file: Path, url_end: str, level: int) -> None:
    storage = open_storage(f"sqlite:///{file}{url_end}")
    await storage.open()
    for name, value in (("synchronous", level), ("journal_mode", "wal")):
        assert await asyncio.wrap_future(storage._driver._writer.ask(name)) == value
    await storage.close()


async def test_payloads_are_not_read_for_lists(harness: Harness, statements: Statements) -> None:
    parent, _ = await harness.waiting(2)
    statements.heard.clear()
    await harness.storage.children_of([parent.execution_id], with_payloads=False)
    (select,) = [text for text in statements.heard if text.startswith("SELECT")]
    assert "durable_task_executions.input" not in select


async def test_long_searches_do_not_delay_short_reads(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL")
    await storage.open()
    rows = RecordBuilder().roots(1, 20_000)
    await storage.insert(rows)
    finished: list[str] = []

    async def search() -> None:
        await storage.search(Search(finished_from=1))
        finished.append("search")

    async def get() -> None:
        await storage.get([rows[0].execution_id])
        finished.append("get")

    await asyncio.gather(search(), get())
    assert finished == ["get", "search"]
    await storage.close()
