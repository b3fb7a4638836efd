"""Statements for one row, run on many at a time: to begin one opens every index.

Each value that is bound costs about a tenth of what a row costs in an index. So what all rows of a
statement have in common, such as their task, is bound once, and named by its number in each row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Final

from durable_execution.storage.sql.driver import Statement
from durable_execution.storage.sql.rows import BOOLEANS, Row, Value

ROWS: Final = "VALUES ("
"""Before the row of a statement that may be run on many."""
_TOGETHER: Final = (64, 32, 16, 8, 4, 2, 1)
"""How many rows a statement is written for: few numbers, so that few are to be prepared, and as
many as it takes for any batch to be a few statements."""
_OF_A_TASK: Final = frozenset(
    {
        "task_id",
        "retry",
        "sleep_before_run_ms",
        "timeout_ms",
        "are_children_sequential",
        "status",
        "fence",
        "executor_id",
        "started_at",
        "expires_at",
    }
)
"""What new rows of one task have in common, those of one claim, too."""
_OF_A_PARENT: Final = frozenset(
    {
        "root_task_id",
        "root_execution_id",
        "parent_task_id",
        "parent_execution_id",
        "is_only_child",
        "is_finalize",
    }
)
# Python 3.12.0 to 3.12.3 warn of numbers as if they were names.
_HAS_NUMBERS: Final = not (3, 12) <= sys.version_info < (3, 12, 4)
_FEWEST_SHARED: Final = 8
"""Rows that have to share what they share; fewer are as cheap without looking."""


def calls_of(statement: Statement, rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[Value]]]:
    """Return texts and their parameters, which together run the statement on all rows."""
    at = 0
    for number in _TOGETHER:
        while len(rows) - at >= number:
            yield _call(statement, rows[at : at + number])
            at += number


def _call(statement: Statement, rows: Sequence[Row]) -> tuple[str, Sequence[Value]]:
    shared = _shared(statement.names, rows)
    own = tuple(place for place in range(len(statement.names)) if place not in shared)
    values = [rows[0][place] for place in shared]
    values.extend(chain.from_iterable(map(itemgetter(*own), rows) if shared else rows))
    for place in _booleans(statement.names):
        if place in shared:
            at = shared.index(place)
            values[at] = int(values[at])  # type: ignore[arg-type]
        else:
            every = slice(len(shared) + own.index(place), None, len(own))
            values[every] = map(int, values[every])  # type: ignore[arg-type]
    return _text(statement.text, len(rows), len(statement.names), shared), values


def _shared(names: tuple[str, ...], rows: Sequence[Row]) -> tuple[int, ...]:
    """Return the places of the values that all rows have in common, if those are worth it."""
    if len(rows) >= _FEWEST_SHARED and _HAS_NUMBERS:
        columns = list(zip(*rows, strict=True))
        for places in _shareable(names):
            if all(columns[place].count(rows[0][place]) == len(rows) for place in places):
                return places
    return ()


@lru_cache
def _shareable(names: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """Return places that rows may have in common, the most first; few sets make few texts."""
    if "execution_id" not in names:
        return ()
    sets = (_OF_A_TASK | _OF_A_PARENT, _OF_A_TASK)
    found = (tuple(at for at, name in enumerate(names) if name in each) for each in sets)
    return tuple(dict.fromkeys(found))


@lru_cache
def _booleans(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the places of booleans, which the driver is slow to find out how to write."""
    return tuple(place for place, name in enumerate(names) if name in BOOLEANS)


@lru_cache
def _text(text: str, number: int, width: int, shared: tuple[int, ...]) -> str:
    """Return a statement with one row of values as one with so many."""
    before, values, rest = text.partition(ROWS)
    row, end, after = rest.partition(")")
    if not shared:
        return f"{before}{values}{f'{row}{end}, (' * (number - 1)}{row}{end}{after}"
    own = [place for place in range(width) if place not in shared]
    first, *pieces = row.split("?")
    rows = []
    for at in range(number):
        numbers = {place: each + 1 for each, place in enumerate(shared)}
        start = len(shared) + at * len(own) + 1
        numbers |= {place: start + each for each, place in enumerate(own)}
        marks = (f"?{numbers[place]}{piece}" for place, piece in enumerate(pieces))
        rows.append(f"{first}{''.join(marks)}")
    return f"{before}{values}{f'{end}, ('.join(rows)}{end}{after}"
