"""Many guarded updates in one statement, which takes their values as one JSON text.

A server spends more on an update of its own for each row than on the rows. `JSON_TABLE` is in
MySQL from 8.0.4 on, and in MariaDB from 10.6 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from durable_execution.storage.sql.driver import Statement
from durable_execution.storage.sql.rows import Row

_TEXT: Final = "LONGTEXT CHARACTER SET utf8mb4"
_KEY: Final = "VARCHAR(256) CHARACTER SET utf8mb4"
"""Longer than any id, and short enough to be looked up."""
_NUMBER: Final = "BIGINT"
_KINDS: Final = {
    "guard_id": _KEY,
    "guard_status": _KEY,
    "status": _KEY,
    "output": _TEXT,
    "error": _TEXT,
    "finished_at": _NUMBER,
    "guard_fence": _NUMBER,
    "guard_children_count": _NUMBER,
    "guard_expires_at": _NUMBER,
    "at_most_active": _NUMBER,
}
"""What the values are; a statement that has others is done row by row."""


@lru_cache
def together(statement: Statement) -> str | None:
    """Return the update for many rows, whose values are one parameter; None if there is none.

    Assignments of an update that joins have no order: those that read columns are done row by row.
    The rows are found, and locked, in the order in which they are given.
    """
    update, _, rest = statement.text.partition(" SET ")
    assigned, _, guard = rest.partition(" WHERE ")
    is_known = update.startswith("UPDATE ") and _KINDS.keys() >= set(statement.names)
    if not is_known or "." in assigned:
        return None
    places = [f"given.v{place}" for place in range(len(statement.names))]
    columns = ", ".join(
        f"v{place} {_KINDS[name]} PATH '$[{place}]'" for place, name in enumerate(statement.names)
    )
    assigned_guard = f"{assigned} WHERE {guard}" % tuple(places)
    table = update.removeprefix("UPDATE ")
    given = f"JSON_TABLE(%s, '$[*]' COLUMNS ({columns})) AS given"
    return f"UPDATE {given} STRAIGHT_JOIN {table} SET {assigned_guard}"  # noqa: S608 - of our own


def values_together(rows: Sequence[Row]) -> str | None:
    """Return the values of all rows; None if some are bytes that are no text."""
    try:
        return msgspec.json.encode([[_plain(value) for value in row] for row in rows]).decode()
    except UnicodeError:
        return None


def _plain(value: object) -> object:
    if type(value) is bytes:
        return value.decode()
    return int(value) if type(value) is bool else value
