"""Statements for many rows: whatever they have in common, every row gets its own values."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence

import pytest

from durable_execution.storage.sql.driver import Statement
from durable_execution.storage.sql.rows import Row
from durable_execution.storage.sql.sqlite_rows import calls_of

NAMES = ("execution_id", "task_id", "parent_execution_id", "are_children_sequential", "start_at")
INSERT = Statement("INSERT INTO rows VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING", NAMES)
HAS_NUMBERS = not (3, 12) <= sys.version_info < (3, 12, 4)


def _row(number: int, *, task: str = "task", parent: str | None = None) -> Row:
    return f"id {number:03}", task, parent, True, number


def _stored(rows: Sequence[Row]) -> list[Row]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE rows (id PRIMARY KEY, task, parent, flag, start, zero)")
    changed = sum(connection.execute(*call).rowcount for call in calls_of(INSERT, rows))
    assert changed == len(rows)
    found: list[Row] = connection.execute("SELECT * FROM rows ORDER BY id").fetchall()
    connection.close()
    return found


@pytest.mark.parametrize("number", [1, 7, 8, 64, 65, 200])
@pytest.mark.parametrize("tasks", [1, 2])
@pytest.mark.parametrize("parents", [0, 1, 3])
def test_every_row_gets_its_own_values(number: int, tasks: int, parents: int) -> None:
    rows = [
        _row(each, task=f"task {each % tasks}", parent=f"p {each % parents}" if parents else None)
        for each in range(number)
    ]
    assert _stored(rows) == [(*row, 0) for row in rows]


def test_values_of_all_rows_are_bound_once() -> None:
    ((_, values),) = calls_of(INSERT, [_row(number) for number in range(64)])
    assert len(values) == (3 + 2 * 64 if HAS_NUMBERS else 5 * 64)


def test_children_of_several_parents_have_their_task_in_common() -> None:
    rows = [_row(number, parent=f"p {number % 2}") for number in range(64)]
    ((_, values),) = calls_of(INSERT, rows)
    assert len(values) == (2 + 3 * 64 if HAS_NUMBERS else 5 * 64)


def test_few_rows_are_written_as_they_are() -> None:
    ((text, values),) = calls_of(INSERT, [_row(number) for number in range(2)])
    assert "?1" not in text
    assert values == ["id 000", "task", None, 1, 0, "id 001", "task", None, 1, 1]
