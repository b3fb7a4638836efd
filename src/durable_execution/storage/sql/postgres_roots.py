"""Many new roots in few arrays.

The driver looks at every element of every array, so each column of a batch costs. What the rows of
a task have in common is sent once, as a kind, to which each row gives a number; what is constant
in a new root, the statement knows.
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

from durable_execution.storage.sql.roots import ROOT, root_constants
from durable_execution.storage.sql.rows import Row, Value
from durable_execution.storage.sql.schema import executions

if TYPE_CHECKING:
    from sqlalchemy.sql.selectable import TableValuedAlias
    from sqlalchemy.types import TypeEngine

_OF_A_KIND: Final[dict[str, TypeEngine[Any]]] = {
    "task_id": Text(),
    "retry": Text(),
    "sleep_before_run_ms": BigInteger(),
    "timeout_ms": BigInteger(),
    "are_children_sequential": Boolean(),
}
_OF_A_ROW: Final[dict[str, TypeEngine[Any]]] = {
    "execution_id": Text(),
    "start_at": BigInteger(),
    "created_at": BigInteger(),
    "input": LargeBinary(),
}
_OF_ALL: Final = ("executor_id", "started_at")
_KIND: Final = slice(ROOT.index("task_id"), ROOT.index("are_children_sequential") + 1)


def insert_ready() -> ClauseElement:
    """Return the insert of new roots that are ready."""
    given = _given()
    values = {
        **_given_values(given),
        "status": literal_column("'ready'", Text()),
        "fence": literal_column("0", BigInteger()),
        "updated_at": given.c.created_at,
    }
    return _insert(values, select(*values.values()))


def insert_claimed(lease: Select[int]) -> ClauseElement:
    """Return the insert of new roots that an executor with a lease claimed, all at one instant."""
    values = _given_values(_given())
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
    """Return rows of `ROOT` as the parameters, of these names, of one of the inserts above."""
    kinds: dict[Row, int] = {}
    columns = dict(zip(ROOT, zip(*rows, strict=True), strict=True))
    values: dict[str, object] = {name: columns[name] for name in _OF_A_ROW}
    values["kind"] = [kinds.setdefault(row[_KIND], len(kinds) + 1) for row in rows]
    values |= dict(zip(_OF_A_KIND, zip(*kinds, strict=True), strict=True))
    values |= {name: columns[name][0] for name in _OF_ALL}
    return (*(cast("Value", values[name]) for name in names if name in values), *shared)


def _given() -> TableValuedAlias:
    types = {"kind": Integer(), **_OF_A_ROW}
    arrays = [sql_cast(bindparam(name), ARRAY(kind)) for name, kind in types.items()]
    columns = [column(name, kind) for name, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="given")


def _given_values(given: TableValuedAlias) -> dict[str, ColumnElement[Any]]:
    of_kind = {
        name: Grouping(sql_cast(bindparam(name), ARRAY(kind)))[given.c.kind]
        for name, kind in _OF_A_KIND.items()
    }
    return {**of_kind, **{name: given.c[name] for name in _OF_A_ROW}}


def _insert(values: dict[str, ColumnElement[Any]], rows: Select[Any]) -> ClauseElement:
    constants = root_constants()
    new = postgresql.insert(executions).from_select(
        [*values, *constants], rows.add_columns(*constants.values())
    )
    return new.on_conflict_do_nothing(index_elements=[executions.c.execution_id]).returning(
        executions.c.execution_id
    )
