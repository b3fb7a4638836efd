"""What is different about SQLite's SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Column,
    ColumnElement,
    bindparam,
    column,
    func,
    literal_column,
    select,
    update,
    values,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.schema import CreateIndex, CreateTable

from durable_execution.storage.sql.new_rows import constants_beside
from durable_execution.storage.sql.rows import COMPLETE, FIELDS, PROGRESS, TAG, Value
from durable_execution.storage.sql.schema import (
    HAS_FAILED,
    HAS_KEY,
    IS_READY,
    executions,
    executors,
    has_lease,
    is_newer,
    progress,
    tags,
)
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

if TYPE_CHECKING:
    from sqlalchemy import Index, Table
    from sqlalchemy.engine import Dialect
    from sqlalchemy.schema import ExecutableDDLElement
    from sqlalchemy.sql.selectable import FromClause, GenerativeSelect


class _Compiler(SQLiteCompiler):
    def limit_clause(self, select: GenerativeSelect, **options: object) -> str:
        """Leave out the offset of 0 that SQLAlchemy adds as one more parameter."""
        limit = select._limit_clause  # noqa: SLF001  # how SQLAlchemy's own dialects read it
        return "" if limit is None else f"\n LIMIT {self.process(limit, **options)}"

    def visit_values(self, element: Any, *_: Any, **options: Any) -> str:
        """Name no columns: those of VALUES are called column1, column2 and so on here."""
        rows = self._render_values(element, **options)  # type: ignore[no-untyped-call]
        return f"({rows}) AS {element.name}"


_ROWID = literal_column("rowid", BigInteger)


class SqliteDialect:
    """SQLite 3.35 and later: RETURNING, json_each, and the caller's clock as the parameter `now`.

    A list of any length is one parameter, a JSON text that `json_each` turns into rows, so that
    every statement has one text however many ids are asked for.

    Args:
        tables: What the tables are called.
    """

    name = "sqlite"
    schema_lock = None
    schema_unlock = None
    finds_unfinished = True
    does_claim_look_ahead = False
    does_insert_look_for_lease = False

    def __init__(self, tables: TaskExecutionTables = DEFAULT_TABLES) -> None:
        self.tables = tables
        self.compiler: Dialect = sqlite.dialect(paramstyle="qmark")
        self.compiler.statement_compiler = _Compiler

    def ddl(  # noqa: D102
        self, tables: Sequence[Table], indexes: Sequence[Index]
    ) -> list[ExecutableDDLElement]:
        return [*map(CreateTable, tables), *map(CreateIndex, indexes)]

    def adapted(  # noqa: D102
        self, statements: dict[str, ClauseElement]
    ) -> dict[str, ClauseElement]:
        has_lease = select(executors.c.executor_id).where(
            executors.c.executor_id == bindparam("executor_id"),
            executors.c.lease_expires_at > self.now(),
        )
        return {**statements, "has_lease": has_lease, "complete": _complete()}

    def now(self) -> ColumnElement[int]:  # noqa: D102
        return bindparam("now", type_=BigInteger)

    def failed_id(self) -> ColumnElement[str]:  # noqa: D102
        return executions.c.execution_id

    def has_failed(self) -> ColumnElement[bool]:  # noqa: D102
        return cast("ColumnElement[bool]", HAS_FAILED)

    def ready_at(self) -> ColumnElement[int]:  # noqa: D102
        return executions.c.start_at

    def is_ready(self) -> ColumnElement[bool]:  # noqa: D102
        return cast("ColumnElement[bool]", IS_READY)

    def is_any_of(self, column: Column[str], parameter: str) -> ColumnElement[bool]:  # noqa: D102
        return column.in_(select(self.listed(parameter).c.value))

    def listed(self, parameter: str) -> FromClause:  # noqa: D102
        return func.json_each(bindparam(parameter)).table_valued("value", name=parameter)

    def texts(self, values: Sequence[str]) -> Value:  # noqa: D102
        try:
            return msgspec.json.encode(values).decode()
        except UnicodeEncodeError:
            # A lone surrogate: no row has such an id, and to ask for one is no error.
            return json.dumps(values)

    def place_of(  # noqa: D102
        self, part: ColumnElement[str], text: ColumnElement[str]
    ) -> ColumnElement[int]:
        return func.instr(text, part)

    def insert(self) -> ClauseElement:  # noqa: D102
        return _new_row().on_conflict_do_nothing(index_elements=[executions.c.execution_id])

    def insert_root(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return _narrow_row(layout)

    def insert_child(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return _narrow_row(layout)

    def insert_claimed(self, layout: Sequence[str]) -> ClauseElement:  # noqa: D102
        return self.insert_root(layout)

    def insert_keyed(self) -> ClauseElement:  # noqa: D102
        return (
            _new_row()
            .on_conflict_do_nothing(index_elements=[executions.c.execution_id])
            .on_conflict_do_nothing(
                index_elements=[executions.c.task_id, executions.c.idempotency_key],
                index_where=HAS_KEY,
            )
        )

    def insert_tag(self) -> ClauseElement:  # noqa: D102
        row = sqlite.insert(tags).values({name: bindparam(name) for name in TAG})
        return row.on_conflict_do_nothing()

    def put_progress(self) -> ClauseElement:  # noqa: D102
        new = sqlite.insert(progress).values({name: bindparam(name) for name in PROGRESS})
        return new.on_conflict_do_update(
            index_elements=[progress.c.execution_id],
            set_={name: new.excluded[name] for name in PROGRESS[1:]},
            where=is_newer(new.excluded),
        )

    def claim(self) -> ClauseElement:
        """One statement: the rows are found by the index of ready rows and updated by their rowid.

        Nothing needs locking or skipping, because one transaction writes at a time.
        """
        columns = executions.c
        picked = executions.alias("picked")
        due = (
            select(literal_column("picked.rowid", BigInteger))
            .select_from(picked)
            .where(
                literal_column("picked.status") == literal_column("'ready'"),
                picked.c.start_at <= self.now(),
                self.is_any_of(picked.c.task_id, "task_ids"),
                has_lease(self.now()),
            )
            .order_by(picked.c.start_at)
            .limit(bindparam("limit"))
        )
        return (
            update(executions)
            .ordered_values(
                (columns.status, literal_column("'running'")),
                (columns.executor_id, bindparam("executor_id")),
                (columns.fence, columns.fence + literal_column("1", BigInteger)),
                (columns.started_at, self.now()),
                (columns.expires_at, self.now() + columns.timeout_ms),
                (columns.updated_at, self.now()),
            )
            .where(_ROWID.in_(due))
            .returning(*[columns[name] for name in FIELDS])
        )


def _complete() -> ClauseElement:
    """Return the completion of the rows that VALUES lists, of which there may be many.

    To begin a statement costs as much as to update a row: it opens every index.
    """
    places: list[ColumnElement[Any]] = [column(f"column{at}") for at in range(1, 1 + len(COMPLETE))]
    row: tuple[ColumnElement[Any], ...] = tuple(bindparam(name) for name in COMPLETE)
    output, finished_at, guard_id, guard_fence = values(*places, name="done").data([row]).c
    columns = executions.c
    return (
        update(executions)
        .ordered_values(
            (columns.status, literal_column("'completed'")),
            (columns.output, output),
            (columns.error, literal_column("NULL")),
            (columns.finished_at, finished_at),
            (columns.updated_at, finished_at),
        )
        .where(
            columns.execution_id == guard_id,
            columns.status == literal_column("'running'"),
            columns.fence == guard_fence,
        )
    )


def _narrow_row(names: Sequence[str]) -> ClauseElement:
    given: dict[str, ColumnElement[Any]] = {name: bindparam(name) for name in names}
    row = sqlite.insert(executions).values(given | constants_beside(names))
    return row.on_conflict_do_nothing(index_elements=[executions.c.execution_id])


def _new_row() -> sqlite.Insert:
    return sqlite.insert(executions).values({name: bindparam(name) for name in FIELDS})
