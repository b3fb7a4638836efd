"""Waiting for the lock of a file that another process is writing to."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_execution.storage.sql.sqlite_lock import begin_transaction

TRIES = 40


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    first, second = (
        sqlite3.connect(tmp_path / "tasks.db", isolation_level=None, timeout=0) for _ in range(2)
    )
    first.execute("PRAGMA journal_mode = WAL")
    yield first, second
    first.close()
    second.close()


def test_lock_is_tried_again_after_pauses_that_stay_short(
    writers: tuple[sqlite3.Connection, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = writers
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == TRIES:
            first.execute("COMMIT")

    begin_transaction(first, "BEGIN IMMEDIATE")
    monkeypatch.setattr(time, "sleep", sleep)
    begin_transaction(second, "BEGIN IMMEDIATE")
    assert second.in_transaction
    assert len(pauses) == TRIES
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.001
    assert pauses[-1] <= 0.002


def test_what_is_no_lock_is_not_tried_again(
    writers: tuple[sqlite3.Connection, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = writers
    first.execute("BEGIN IMMEDIATE")
    monkeypatch.delattr(time, "sleep")
    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        begin_transaction(first, "BEGIN IMMEDIATE")
