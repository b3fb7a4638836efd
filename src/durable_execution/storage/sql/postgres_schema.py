"""The tables as PostgreSQL has them.

What is scanned is found by generated columns, which are NULL for every other row: `ready_at`,
`joinable_at`, `asleep_until`, `failed_id`. No index mentions `status`, so that the finish of what
has completed changes no indexed column and stays on its page (a HOT update); PostgreSQL counts the
condition of a partial index as indexed. Texts compare by bytes (`COLLATE "C"`), so that ids have
the order of time.

One trigger for each statement that inserts rows, finishes some or gives some back tells who
listens; a transaction sends that at most once. It costs no round trip, and whoever else writes to
the table is heard too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Index,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.schema import DDL, CreateIndex, CreateTable, ExecutableDDLElement

from durable_execution.storage.sql.rows import PAYLOADS
from durable_execution.storage.sql.schema import (
    HAS_FAILED,
    IS_JOINABLE,
    IS_READY,
    IS_SLEEPING,
    SQLITE_ONLY,
    executions,
)

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

LOCK_SCHEMA: Final = "SELECT pg_advisory_xact_lock(7238157634107237)"
"""Held by whoever creates or migrates; the number means nothing."""
CHANNEL: Final = "durable_execution_"
"""Followed by the number (oid) of the table, so that schemas of one database stay apart."""

READY_AT: Final = literal_column("durable_task_executions.ready_at", BigInteger)
JOINABLE_AT: Final = literal_column("durable_task_executions.joinable_at", BigInteger)
FAILED_ID: Final = literal_column("durable_task_executions.failed_id", Text)
ASLEEP_UNTIL: Final = literal_column("durable_task_executions.asleep_until", BigInteger)

_GENERATED: Final = {
    "ready_at": f"CASE WHEN {IS_READY} THEN start_at END",
    "joinable_at": f"CASE WHEN {IS_JOINABLE} THEN waiting_for_children_at END",
    "asleep_until": f"CASE WHEN {IS_SLEEPING} THEN expires_at END",
    "failed_id": f"CASE WHEN {HAS_FAILED} THEN execution_id END",
}
_INDEXED: Final = {
    "durable_ready": ("ready_at", "task_id"),
    "durable_joinable": ("joinable_at", "task_id"),
    "durable_sleeping": ("asleep_until",),
    "durable_failed": ("failed_id",),
}
# Room on each page for a second version of all its rows, because those of a page mostly finish in
# one transaction, and what finds no room writes a page elsewhere and all indexes; vacuum early,
# because every task leaves dead rows behind and a table of millions would wait long for a fifth.
_STORED: Final = {
    "fillfactor": 50,
    "autovacuum_vacuum_scale_factor": 0.02,
    "autovacuum_vacuum_insert_scale_factor": 0.05,
    "autovacuum_analyze_scale_factor": 0.02,
}
_NOTIFY: Final = (
    f"""CREATE OR REPLACE FUNCTION durable_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}' || TG_RELID, '');
    RETURN NULL;
END
$$""",
    """CREATE TRIGGER durable_notify AFTER INSERT OR UPDATE OF start_at, finished_at
ON durable_task_executions FOR EACH STATEMENT EXECUTE FUNCTION durable_notify()""",
)


def postgres_ddl(tables: Sequence[Table], indexes: Sequence[Index]) -> list[ExecutableDDLElement]:
    """Return the statements that create the tables, indexes and the trigger."""
    adapted = {table.name: _adapted(table) for table in tables}
    new = [_index(index, adapted) for index in indexes if index.name not in SQLITE_ONLY]
    return [*map(CreateTable, adapted.values()), *map(CreateIndex, new), *map(DDL, _NOTIFY)]


def _adapted(table: Table) -> Table:
    columns = [
        Column(each.name, _type(each.type), primary_key=each.primary_key, nullable=each.nullable)
        for each in table.columns
    ]
    if table is not executions:
        return Table(table.name, MetaData(), *columns)
    places = [place for place, each in enumerate(columns) if each.name in PAYLOADS]
    columns[places[0] : places[0]] = [
        Column(name, _type_of(name), Computed(expression, persisted=True))
        for name, expression in _GENERATED.items()
    ]
    checks = [
        CheckConstraint(each.sqltext, name=each.name)
        for each in sorted(table.constraints, key=lambda each: str(each.name))
        if isinstance(each, CheckConstraint)
    ]
    return Table(table.name, MetaData(), *columns, *checks, postgresql_with=_STORED)


def _type_of(generated: str) -> TypeEngine[Any]:
    return _type(executions.c.execution_id.type) if generated == "failed_id" else BigInteger()


def _type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return Text(collation="C") if isinstance(kind, String) else kind


def _index(index: Index, tables: dict[str, Table]) -> Index:
    table = tables[str(index.table.name if index.table is not None else "")]
    generated = _INDEXED.get(str(index.name))
    if generated is None:
        names = tuple(column.name for column in index.columns)
        where = index.dialect_options["postgresql"]["where"]
    else:
        names, where = generated, text(f"{generated[0]} IS NOT NULL")
    return Index(
        index.name, *[table.c[name] for name in names], unique=index.unique, postgresql_where=where
    )
