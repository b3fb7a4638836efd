"""Many new rows in few arrays.

The driver looks at every element of every array, so each column of a batch costs. What the rows of
a task, or the children of a parent, have in common is sent once, as a kind, to which each row
gives a number; what is constant in a new row, the statement knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ClauseElement,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Text,
    bindparam,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import Grouping

from durable_execution.storage.sql.new_rows import CHILD, CLAIMED_CHILD, ROOT, constants_beside
from durable_execution.storage.sql.rows import Row, Value
from durable_execution.storage.sql.schema import executions

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

_Types = dict[str, "TypeEngine[Any]"]

_OF_A_TASK: Final[_Types] = {
    "task_id": Text(),
    "retry": Text(),
    "sleep_before_run_ms": BigInteger(),
    "timeout_ms": BigInteger(),
    "are_children_sequential": Boolean(),
}
_OF_A_PARENT: Final[_Types] = {
    "root_task_id": Text(),
    "root_execution_id": Text(),
    "parent_task_id": Text(),
    "parent_execution_id": Text(),
    "is_only_child": Boolean(),
    "is_finalize": Boolean(),
    # They come into being together, and mostly start together.
    "start_at": BigInteger(),
    "created_at": BigInteger(),
}
_OF_A_ROW: Final[_Types] = {
    "execution_id": Text(),
    "start_at": BigInteger(),
    "created_at": BigInteger(),
    "input": LargeBinary(),
}
_OF_A_CHILD: Final[_Types] = {
    "execution_id": Text(),
    "input": LargeBinary(),
    "index_in_parent": Integer(),
}
_OF_A_TRACE: Final[_Types] = {"traceparent": Text()}
_OF_ALL: Final = ("executor_id", "started_at")


def insert_ready(layout: Sequence[str]) -> ClauseElement:
    """Return the insert of new roots that are ready."""
    values = _given_values(*_shares(layout))
    values["updated_at"] = values["created_at"]
    return _insert(values, select(*values.values()))


def insert_children(layout: Sequence[str]) -> ClauseElement:
    """Return the insert of new children."""
    values = _given_values(*_shares(layout))
    values["updated_at"] = values["created_at"]
    return _insert(values, select(*values.values()))


def insert_claimed(layout: Sequence[str], lease: Select[int]) -> ClauseElement:
    """Return the insert of rows that an executor with a lease claimed, all at one instant."""
    values = _given_values(*_shares(layout))
    at = sql_cast(bindparam("started_at"), BigInteger)
    values |= {
        "status": literal_column("'running'", Text()),
        "fence": literal_column("1", BigInteger()),
        "executor_id": sql_cast(bindparam("executor_id"), Text),
        "updated_at": at,
        "started_at": at,
        "expires_at": at + values["timeout_ms"],
    }
    return _insert(values, select(*values.values()).where(lease.exists()))


def packed(names: Sequence[str], rows: Sequence[Row], shared: Row) -> Row:
    """Return rows of a layout as the parameters, of these names, of such an insert."""
    layout: tuple[str, ...] = ROOT
    if "parent_execution_id" in names:
        layout = CLAIMED_CHILD if "executor_id" in names else CHILD
    if "traceparent" in names:
        layout = (*layout, "traceparent")
    columns = dict(zip(layout, zip(*rows, strict=True), strict=True))
    of_a_kind, of_a_row = _shares(layout)
    kinds: dict[Row, int] = {}
    kinds_of_rows = zip(*(columns[name] for name in of_a_kind), strict=True)
    values: dict[str, object] = {name: columns[name] for name in of_a_row}
    values["kind"] = [kinds.setdefault(kind, len(kinds) + 1) for kind in kinds_of_rows]
    values |= dict(zip(of_a_kind, zip(*kinds, strict=True), strict=True))
    values |= {name: columns[name][0] for name in _OF_ALL if name in names}
    return (*(cast("Value", values[name]) for name in names if name in values), *shared)


def _shares(layout: Sequence[str]) -> tuple[_Types, _Types]:
    """Return what rows of a layout have in common, a kind, and what is each row's own."""
    is_traced = "traceparent" in layout
    if "parent_execution_id" in layout:
        of_a_kind = _OF_A_TASK | _OF_A_PARENT
        # The children of a parent have its trace.
        return (of_a_kind | _OF_A_TRACE if is_traced else of_a_kind), _OF_A_CHILD
    return _OF_A_TASK, (_OF_A_ROW | _OF_A_TRACE if is_traced else _OF_A_ROW)


def _given_values(of_a_kind: _Types, of_a_row: _Types) -> dict[str, ColumnElement[Any]]:
    types: _Types = {"kind": Integer(), **of_a_row}
    arrays = [sql_cast(bindparam(name), ARRAY(kind)) for name, kind in types.items()]
    columns = [column(name, kind) for name, kind in types.items()]
    given = func.unnest(*arrays).table_valued(*columns).render_derived(name="given")
    return {
        **{
            name: Grouping(sql_cast(bindparam(name), ARRAY(kind)))[given.c.kind]
            for name, kind in of_a_kind.items()
        },
        **{name: given.c[name] for name in of_a_row},
    }


def _insert(values: dict[str, ColumnElement[Any]], rows: Select[Any]) -> ClauseElement:
    constants = constants_beside(list(values))
    new = postgresql.insert(executions).from_select(
        [*values, *constants], rows.add_columns(*constants.values())
    )
    return new.on_conflict_do_nothing(index_elements=[executions.c.execution_id])
