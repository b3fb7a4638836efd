"""Statements of MySQL and MariaDB about rows and what is below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    ColumnElement,
    Integer,
    bindparam,
    literal_column,
    select,
    update,
)

from durable_execution.storage.sql.rows import FIELDS
from durable_execution.storage.sql.schema import executions

if TYPE_CHECKING:
    from sqlalchemy.sql.selectable import FromClause

_E: Final = executions.c
_COLUMNS: Final = tuple(executions.c[name] for name in FIELDS)
_ONE: Final = literal_column("1", Integer)


def last_children_of(parents: FromClause) -> ClauseElement:
    """Return the last child of each of these parents, whose ids are the column `value`."""
    # One step from the end of the index for each parent, however many children it has.
    child = executions.alias("child")
    last = (
        select(child.c.execution_id)
        .where(child.c.parent_execution_id == parents.c.value)
        .order_by(
            child.c.parent_execution_id.desc(),
            child.c.is_finalize.desc(),
            child.c.index_in_parent.desc(),
        )
        .limit(_ONE)
        .correlate(parents)
        .scalar_subquery()
    )
    found = select(last.label("execution_id")).select_from(parents).subquery("last")
    return select(*_COLUMNS).join(found, found.c.execution_id == _E.execution_id)


def lock_trees(condition: ColumnElement[bool]) -> ClauseElement:
    """Lock unfinished rows, the highest id first: children before their parents."""
    return (
        select(_E.execution_id)
        .with_hint(executions, "FORCE INDEX (PRIMARY)", "mysql")
        .where(condition, _E.finished_at.is_(None))
        .order_by(_E.execution_id.desc())
        .with_for_update()
    )


def find_trees(is_child: ColumnElement[bool]) -> ClauseElement:
    """Return the ids of what is unfinished below some rows."""
    return select(_descendants(is_child, is_nested=False).c.execution_id)


def cancel_descendants() -> ClauseElement:
    """Cancel what is unfinished below a row.

    The tree is joined rather than looked up with IN, which would read the whole table.
    """
    is_child = _E.parent_execution_id == bindparam("ancestor_id")
    tree = select(_descendants(is_child, is_nested=True).c.execution_id).subquery("tree")
    at = bindparam("at", type_=BigInteger)
    return (
        update(executions)
        .ordered_values(
            (_E.status, literal_column("'cancelled'")),
            (_E.error, bindparam("error")),
            (_E.finished_at, at),
            (_E.updated_at, at),
            (_E.active_children_count, literal_column("0", BigInteger)),
        )
        .where(_E.execution_id == tree.c.execution_id)
    )


def _descendants(condition: ColumnElement[bool], *, is_nested: bool) -> FromClause:
    # Unfinished rows only, on the way down too: below a finished row nothing is unfinished.
    children = (
        select(_E.execution_id)
        .where(condition, _E.finished_at.is_(None))
        .cte("descendants", recursive=True, nesting=is_nested)
    )
    below = executions.alias("below")
    return children.union_all(
        select(below.c.execution_id).where(
            below.c.parent_execution_id == children.c.execution_id, below.c.finished_at.is_(None)
        )
    )
