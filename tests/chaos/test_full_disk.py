from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from durable_execution.errors import StorageUnavailableError
from tests.processes.arena import Arena, until
from tests.processes.books import check_accounts, check_trees
from tests.processes.database import SqliteFile
from tests.processes.effects import VARIABLE
from tests.processes.fixtures import ON_SQLITE
from tests.processes.load import check_endings, enqueue_every_kind, sign_contracts
from tests.processes.tasks import add_one

pytestmark = pytest.mark.chaos

NUMBERS = range(5)
DISK = 16 * 1024 * 1024
"""Bytes: room for a write-ahead log of full length, 4 MiB, once the ballast is gone."""
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
SAYINGS = ("the disk is full", "reading or writing the file failed")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with hardly any room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this user may not mount a file system: {error}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
async def crowded(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Arena]:
    """An arena whose database is on the small disk, and all else on the other."""
    monkeypatch.setenv(VARIABLE, "")
    arena = Arena(tmp_path, SqliteFile(small_disk / "tasks.db"))
    yield arena
    await arena.close()
    assert arena.complaints() == []


async def test_a_full_disk_is_a_clear_error_and_work_goes_on_when_there_is_room(
    crowded: Arena, small_disk: Path
) -> None:
    arena = crowded
    worker = await arena.start()
    async with arena.observer() as observer:
        durable = await enqueue_every_kind(observer, NUMBERS)
        fill(small_disk / "ballast")
        refusal = await first_refusal(lambda: observer.enqueue_task(add_one, 1))
        assert "the disk is full" in refusal
        assert "tasks.db" in refusal
        await until(lambda: says_why(worker.log), "the worker's log says why nothing goes on")

        (small_disk / "ballast").unlink()
        await sign_contracts(observer, NUMBERS)
        await check_endings(durable, timeout=30)
        await until(lambda: not arena.rows("finished_at IS NULL"), "every execution has finished")
    assert is_intact(arena)
    check_trees(arena)
    check_accounts(arena)


@ON_SQLITE
async def test_a_file_that_may_not_grow_stops_one_executor_until_it_may(arena: Arena) -> None:
    worker = await arena.start()
    async with arena.observer() as observer:
        await (await observer.enqueue_task(add_one, 0)).result(timeout=30)
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
        durable = await enqueue_every_kind(observer, NUMBERS)
        await until(lambda: says_why(worker.log), "the worker's log says why nothing goes on")
        assert worker.is_alive

        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        await sign_contracts(observer, NUMBERS)
        await check_endings(durable, timeout=30)
        await until(lambda: not arena.rows("finished_at IS NULL"), "every execution has finished")
    assert is_intact(arena)
    check_trees(arena)
    check_accounts(arena)


def fill(ballast: Path) -> None:
    """Write until there is no room for one byte more."""
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 1024, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


async def first_refusal(enqueue: Callable[[], Awaitable[object]]) -> str:
    """Enqueue until it is refused: the log of SQLite may have room in pages it has already."""
    for _ in range(2000):
        try:
            await enqueue()
        except StorageUnavailableError as error:
            return str(error)
        await asyncio.sleep(0)
    raise AssertionError("nothing was refused")


def says_why(log: Path) -> bool:
    text = log.read_text()
    return any(saying in text for saying in SAYINGS)


def is_intact(arena: Arena) -> bool:
    assert isinstance(arena.database, SqliteFile)
    with closing(sqlite3.connect(arena.database.path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
