"""The past of rows: an array that gets one attempt more, and drops its first when it is full.

The array is a text with one attempt a line, and is put together as such: databases whose types for
JSON could add to it refuse what the message of an error may hold.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    Integer,
    Text,
    bindparam,
    case,
    func,
    literal_column,
    select,
)

from durable_execution._core.past import KEPT_ATTEMPTS
from durable_execution.storage.sql.driver import SqlDialect
from durable_execution.storage.sql.rows import PAST
from durable_execution.storage.sql.schema import executions

_E: Final = executions.c
_ONE: Final = literal_column("1", Integer)
_KEPT: Final = literal_column(str(KEPT_ATTEMPTS), Integer)
_NEWLINE: Final = literal_column("'\n'", Text)
_NEXT: Final = literal_column("',\n'", Text)
_OPENED: Final = literal_column("'['", Text)
_CLOSED: Final = literal_column("']'", Text)


def past_of(dialect: SqlDialect) -> ClauseElement:
    """Select the past of those of some rows that have one."""
    return select(_E.execution_id, *[_E[name] for name in PAST]).where(
        dialect.is_any_of(_E.execution_id, "execution_ids"), _E.past_attempts.is_not(None)
    )


def with_one_attempt_more(
    dialect: SqlDialect, ended_count: ColumnElement[int] = _ONE
) -> tuple[tuple[Column[Any], ColumnElement[Any]], ...]:
    """Return what adds the attempt `ended`, a text of JSON, to the past of a row.

    If it may be NULL, which adds nothing, `ended_count` says 0 then.
    """
    past, count = _E.past_attempts, _E.past_attempts_count
    length, line_end = func.char_length(past), dialect.place_of(_NEWLINE, past)
    kept = case(
        (past.is_(None), _OPENED),
        (count < _KEPT, _part(past, _ONE, length - _ONE).concat(_NEXT)),
        else_=_OPENED.concat(_part(past, line_end + _ONE, length - line_end - _ONE)).concat(_NEXT),
    )
    more = kept.concat(bindparam("ended", type_=Text)).concat(_CLOSED)
    return (
        # In this order, because MySQL reads what is already assigned.
        (past, func.coalesce(more, past)),
        (count, func.coalesce(count, literal_column("0", Integer)) + ended_count),
    )


def _part(
    text: ColumnElement[str], first: ColumnElement[int], length: ColumnElement[int]
) -> ColumnElement[str]:
    return func.substr(text, first, length, type_=Text)
