"""Reads of SQLite in the thread that asks: what they leave to a connection that waits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_execution.storage.sql.driver import Statement, Transaction, Work
from durable_execution.storage.sql.rows import Row
from durable_execution.storage.sql.sqlite_near import NearReader, NotNearError


def asking(text: str) -> Work[list[Row]]:
    async def work(transaction: Transaction) -> list[Row]:
        return await transaction.fetch(Statement(text, ()))

    return work


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tasks.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE found (number INTEGER)")
    connection.execute("INSERT INTO found VALUES (7)")
    connection.commit()
    connection.close()
    return file


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def reader(file: Path, heard: list[str]) -> Iterator[NearReader]:
    reader = NearReader(
        lambda: sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False),
        heard.append,
    )
    reader.open()
    yield reader
    reader.close()


def test_what_is_there_is_read_and_told(reader: NearReader, heard: list[str]) -> None:
    assert reader.run(asking("SELECT number FROM found")) == [(7,)]
    assert heard == ["SELECT number FROM found"]


def test_file_that_is_locked(reader: NearReader, file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(NotNearError):
        reader.run(asking("SELECT number FROM found"))
    other.execute("ROLLBACK")
    other.close()
    assert reader.run(asking("SELECT number FROM found")) == [(7,)]


def test_statement_that_fails(reader: NearReader) -> None:
    with pytest.raises(NotNearError):
        reader.run(asking("SELECT number FROM lost"))
    assert reader.run(asking("SELECT number FROM found")) == [(7,)]


def test_other_thread_that_reads(reader: NearReader) -> None:
    refused: list[type[BaseException]] = []

    def other() -> None:
        try:
            reader.run(asking("SELECT number FROM found"))
        except NotNearError as error:
            refused.append(type(error))

    async def work(transaction: Transaction) -> None:
        await transaction.fetch(Statement("SELECT number FROM found", ()))
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    reader.run(work)
    assert refused == [NotNearError]


def test_reader_that_is_closed(reader: NearReader) -> None:
    reader.close()
    with pytest.raises(NotNearError):
        reader.run(asking("SELECT number FROM found"))
