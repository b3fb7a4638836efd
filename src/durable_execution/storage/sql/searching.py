"""The statements of searches: one for each set of filters, built when it is first asked for.

Only what is asked for stands in the text, so that the database sees which index leads to it: that
of the tag, of the children, of what has failed, of the task, or the ids, from one end to the limit.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import msgspec
from sqlalchemy import Integer, and_, bindparam, literal_column, select

from durable_execution._core.found import SearchOrder
from durable_execution._core.status import ERRORED, UNFINISHED, Status
from durable_execution.storage.search import Search
from durable_execution.storage.sql.driver import SqlDialect, Statement
from durable_execution.storage.sql.rows import FIELDS, FIELDS_BUT_PAYLOADS, Row, Value
from durable_execution.storage.sql.schema import IS_ANY, IS_UNFINISHED, executions, tags
from durable_execution.storage.sql.statements import compiled

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_E: Final = executions.c
_STATEMENTS_KEPT: Final = 256
_PLACES: Final = frozenset({"parent_execution_id", "root_execution_id"})
"""Filters that find their rows by the index of children."""
NEAR: Final = 2_000
"""Rows among which is looked first for what no index leads to."""


Kind = Literal["failed", "ready", "unfinished"]
"""What all statuses that are looked for have in common, if there is an index for it."""


class Shape(NamedTuple):
    """What of a search is in the text of its statement."""

    filters: frozenset[str]
    kind: Kind | None
    is_root: bool | None
    tags: int
    order: SearchOrder
    with_payloads: bool


class Searches:
    """Statements by shape, and the values that go with them."""

    def __init__(self, dialect: SqlDialect) -> None:
        self._dialect = dialect
        self._statement_of = lru_cache(_STATEMENTS_KEPT)(partial(search_statement, dialect))
        self._among_all_of = lru_cache(_STATEMENTS_KEPT)(partial(among_all_statement, dialect))
        self._edge_of = lru_cache(_STATEMENTS_KEPT)(partial(edge_statement, dialect))

    def is_led(self, search: Search) -> bool:
        """Whether an index leads to what is looked for, or it is common."""
        if self._dialect.finds_unfinished or _kind_of(search.statuses) in ("failed", "ready"):
            return True
        is_common = not search.statuses or "completed" in search.statuses
        is_placed = search.parent_execution_id is not None or search.root_execution_id is not None
        return is_common or is_placed or bool(search.tags)

    def of(self, search: Search) -> tuple[Statement, Row]:
        """Return the statement of a search, and its parameters.

        Raises:
            InvalidInputError: The cursor is not one of such a search.
        """
        values = self._values(search)
        statement = self._statement_of(self._shape_of(search))
        return statement, statement.bind(**values)

    def among_all(self, search: Search) -> tuple[Statement, Row]:
        """Return the same for a search that no index leads, and that may have to read all rows.

        Raises:
            InvalidInputError: The cursor is not one of such a search.
        """
        values = self._values(search)
        statement = self._among_all_of(self._shape_of(search))
        return statement, statement.bind(**values)

    def edge(self, search: Search) -> tuple[Statement, Row]:
        """Return what finds the id that bounds the `NEAR` first rows, if there are as many.

        Raises:
            InvalidInputError: The cursor is not one of such a search.
        """
        values = self._values(search)
        bounds = frozenset(name for name in _bounds(_E.execution_id) if values[name] is not None)
        statement = self._edge_of(bounds, search.order)
        return statement, statement.bind(**values)

    def _shape_of(self, search: Search) -> Shape:
        filters = self._filters(search).items()
        return Shape(
            frozenset(name for name, value in filters if value is not None),
            _kind_of(search.statuses),
            search.is_root,
            len(search.tags),
            search.order,
            search.with_payloads,
        )

    def _values(self, search: Search) -> dict[str, Value]:
        # One more than the page holds tells whether there are more.
        values = {**self._filters(search), "limit": search.limit + 1}
        for place, (name, value) in enumerate(search.tags):
            values |= {f"tag_name_{place}": name, f"tag_value_{place}": value}
        return values

    def _filters(self, search: Search) -> dict[str, Value]:
        span, task_ids = search.span(), search.task_ids
        is_single = task_ids is not None and len(task_ids) == 1
        return {
            "task_id": next(iter(task_ids)) if task_ids is not None and is_single else None,
            "task_ids": None if is_single else self._texts(task_ids),
            "statuses": self._texts(search.statuses),
            "created_from": search.created_from,
            "created_before": search.created_before,
            "finished_from": search.finished_from,
            "finished_before": search.finished_before,
            "parent_execution_id": search.parent_execution_id,
            "root_execution_id": search.root_execution_id,
            "id_from": span.id_from,
            "id_after": span.id_after,
            "id_before": span.id_before,
        }

    def _texts(self, texts: frozenset[str] | None) -> Value:
        return None if texts is None else self._dialect.texts(sorted(texts))


def search_statement(dialect: SqlDialect, shape: Shape) -> Statement:
    """Build and compile the statement of a shape."""
    statement = select(*_columns(shape))
    # The table of tags is in the order of ids for each tag: the first tag leads, if there is one.
    is_failed = shape.kind == "failed" and not shape.tags and not shape.filters & _PLACES
    lead: ColumnElement[str] = dialect.failed_id() if is_failed else _E.execution_id
    for place in range(shape.tags):
        tag = tags.alias(f"tag_{place}")
        statement = statement.join(tag, tag.c.execution_id == lead).where(
            tag.c.name == bindparam(f"tag_name_{place}"),
            tag.c.value == bindparam(f"tag_value_{place}"),
        )
        if place == 0:
            lead = tag.c.execution_id
    conditions = _conditions(dialect, lead)
    statement = statement.where(*[conditions[name] for name in sorted(shape.filters)])
    if not shape.tags and not shape.filters & _PLACES:
        statement = statement.where(*_hints(dialect, shape))
    statement = statement.where(*_placed(shape)).order_by(_ordered(lead, shape.order))
    return compiled(statement.limit(bindparam("limit")), dialect)


def among_all_statement(dialect: SqlDialect, shape: Shape) -> Statement:
    """Build and compile the statement of a shape that no index leads.

    The order is hidden, so that no planner walks the ids for it, row after row: reading the table
    from its first page to the last takes half the time. All else is read of what is found only.
    """
    conditions = _conditions(dialect, _E.execution_id)
    unordered = _E.execution_id.concat(literal_column("''"))
    found = (
        select(_E.execution_id)
        .where(
            *[conditions[name] for name in sorted(shape.filters)],
            *_hints(dialect, shape),
            *_placed(shape),
        )
        .order_by(_ordered(unordered, shape.order))
        .limit(bindparam("limit"))
        .subquery("found")
    )
    statement = (
        select(*_columns(shape))
        .join(found, found.c.execution_id == _E.execution_id)
        .order_by(_ordered(_E.execution_id, shape.order))
    )
    return compiled(statement, dialect)


def edge_statement(dialect: SqlDialect, bounds: frozenset[str], order: SearchOrder) -> Statement:
    """Build and compile the statement that steps over the `NEAR` first rows between bounds."""
    conditions = _bounds(_E.execution_id)
    statement = (
        select(_E.execution_id)
        .where(*[conditions[name] for name in sorted(bounds)])
        .order_by(_ordered(_E.execution_id, order))
        .limit(literal_column("1", Integer))
        .offset(literal_column(str(NEAR), Integer))
    )
    return compiled(statement, dialect)


def narrowed(search: Search, edge: str) -> Search:
    """Return the search for the same before an edge, in its order."""
    if search.order == "oldest_first":
        return msgspec.structs.replace(search, id_before=edge)
    return msgspec.structs.replace(search, id_from=edge)


def _columns(shape: Shape) -> list[ColumnElement[Any]]:
    names = FIELDS if shape.with_payloads else FIELDS_BUT_PAYLOADS
    return [_E[name] for name in names]


def _ordered(lead: ColumnElement[str], order: SearchOrder) -> ColumnElement[str]:
    return lead.asc() if order == "oldest_first" else lead.desc()


def _placed(shape: Shape) -> list[ColumnElement[bool]]:
    if shape.is_root is None:
        return []
    has_no_parent = _E.parent_execution_id.is_(None)
    return [has_no_parent if shape.is_root else ~has_no_parent]


def _hints(dialect: SqlDialect, shape: Shape) -> list[ColumnElement[bool]]:
    """Return conditions that all rows meet which are looked for, and which partial indexes have."""
    match shape.kind:
        case "failed":
            return [dialect.has_failed()]
        case "ready":
            return [dialect.is_ready(), cast("ColumnElement[bool]", IS_UNFINISHED)]
        case "unfinished":
            return [cast("ColumnElement[bool]", IS_UNFINISHED)]
        case None if "task_id" in shape.filters:
            return [cast("ColumnElement[bool]", IS_ANY)]
        case None:
            return []


def _kind_of(statuses: frozenset[Status] | None) -> Kind | None:
    if not statuses:
        return None
    if statuses <= ERRORED:
        return "failed"
    if statuses == {"ready"}:
        return "ready"
    return "unfinished" if statuses <= UNFINISHED else None


def _conditions(dialect: SqlDialect, lead: ColumnElement[str]) -> dict[str, ColumnElement[bool]]:
    return {
        "task_id": _E.task_id == bindparam("task_id"),
        "task_ids": dialect.is_any_of(_E.task_id, "task_ids"),
        "statuses": dialect.is_any_of(_E.status, "statuses"),
        "created_from": _E.created_at >= bindparam("created_from"),
        "created_before": _E.created_at < bindparam("created_before"),
        "finished_from": _E.finished_at >= bindparam("finished_from"),
        "finished_before": _E.finished_at < bindparam("finished_before"),
        "parent_execution_id": _E.parent_execution_id == bindparam("parent_execution_id"),
        "root_execution_id": and_(
            _E.execution_id.in_(_below_root()),
            _E.root_execution_id == bindparam("root_execution_id"),
        ),
        **_bounds(lead),
    }


def _bounds(lead: ColumnElement[str]) -> dict[str, ColumnElement[bool]]:
    return {
        "id_from": lead >= bindparam("id_from"),
        "id_after": lead > bindparam("id_after"),
        "id_before": lead < bindparam("id_before"),
    }


def _below_root() -> ColumnElement[str]:
    # From parent to child by the index of children: rows of a tree are found by no other.
    children = (
        select(_E.execution_id)
        .where(_E.parent_execution_id == bindparam("root_execution_id"))
        .cte("tree", recursive=True)
    )
    below = executions.alias("below")
    tree = children.union_all(
        select(below.c.execution_id).where(below.c.parent_execution_id == children.c.execution_id)
    )
    return select(tree.c.execution_id).scalar_subquery()
