from __future__ import annotations

import sqlite3

import pytest

from durable_execution._core.offspring import Label
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.sql import new_rows, rows
from durable_execution.storage.sql.driver import SqlDialect, Statement
from durable_execution.storage.sql.migrations import schema_ddl
from durable_execution.storage.sql.schema import executions
from durable_execution.storage.sql.searching import Searches
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.statements import build_statements
from durable_execution.testing.records import RecordBuilder
from tests.storage.golden import DIALECTS, FOLDER, SEARCHES, golden_texts

STATEMENTS = build_statements(SqliteDialect())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_golden_files_are_current(dialect: SqlDialect) -> None:
    written = {path.name: path.read_text() for path in (FOLDER / dialect.name).glob("*.sql")}
    assert written == golden_texts(dialect), "run: python -m tests.storage.golden"


def test_columns_are_the_fields_of_the_record() -> None:
    assert tuple(executions.columns.keys()) == (*rows.FIELDS, *rows.PAST)
    assert sorted(rows.FIELDS) == sorted(ExecutionRecord.__struct_fields__)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("insert", rows.FIELDS),
        ("insert_keyed", rows.FIELDS),
        ("insert_root", new_rows.ROOT),
        ("insert_child", new_rows.CHILD),
        ("insert_root_traced", new_rows.TRACED_ROOT),
        ("insert_child_traced", new_rows.TRACED_CHILD),
        ("insert_tag", rows.TAG),
        ("finish", rows.FINISH),
        ("requeue", rows.REQUEUE),
        ("wait", rows.WAIT),
    ],
)
def test_rows_have_the_order_of_the_parameters(name: str, order: tuple[str, ...]) -> None:
    assert getattr(STATEMENTS, name).names == order


def test_a_row_is_the_record() -> None:
    builder = RecordBuilder()
    label = Label(idempotency_key="key", tags=(("a", "1"), ("b", "")))
    for record in (
        builder.root(1),
        builder.root(1, label=label),
        builder.root(1, traceparent=f"00-{1:032x}-{2:016x}-01"),
        builder.sleeper(1, "bell"),
        builder.child(builder.root(1), 2),
    ):
        assert rows.to_record(rows.to_row(record)) == record


def _plan(name: str) -> str:
    return _plan_of(getattr(STATEMENTS, name))


def _plan_of(statement: Statement) -> str:
    connection = sqlite3.connect(":memory:")
    for ddl in schema_ddl(SqliteDialect()):
        connection.execute(ddl)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", [None] * len(statement.names))
    lines = [row[3] for row in plan]
    connection.close()
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("insert", ""),
        ("get", "sqlite_autoindex_durable_task_executions_1"),
        ("insert_keyed", ""),
        ("present", "COVERING INDEX sqlite_autoindex_durable_task_executions_1"),
        ("key_holders", "durable_idempotency_key (task_id=? AND idempotency_key=?)"),
        ("get_by_sleeping_unique_id", "durable_sleeping_unique_id"),
        ("taken_sleeping_ids", "durable_sleeping_unique_id"),
        ("children_of", "durable_children"),
        ("children_without_payloads", "durable_children"),
        ("last_children_of", "durable_children"),
        ("claim", "COVERING INDEX durable_ready"),
        ("next_start_at", "COVERING INDEX durable_ready"),
        ("finish", "sqlite_autoindex_durable_task_executions_1"),
        ("complete", "sqlite_autoindex_durable_task_executions_1"),
        ("requeue", "sqlite_autoindex_durable_task_executions_1"),
        ("wait", "sqlite_autoindex_durable_task_executions_1"),
        ("count_off", "sqlite_autoindex_durable_task_executions_1"),
        ("cancel_descendants", "durable_children"),
        ("joinable_among", "sqlite_autoindex_durable_task_executions_1"),
        ("joinable", "durable_joinable"),
        ("expired_sleepers", "durable_sleeping"),
        ("next_expires_at", "durable_sleeping"),
        ("finished_roots", "sqlite_autoindex_durable_task_executions_1 (execution_id<?)"),
        ("children_ids", "INDEX durable_children (parent_execution_id=?)"),
        ("delete_finished", "sqlite_autoindex_durable_task_executions_1"),
        ("delete_tag", "PRIMARY KEY (name=? AND value=? AND execution_id=?)"),
        ("still_held", "sqlite_autoindex_durable_task_executions_1"),
    ],
)
def test_statement_uses_its_index_and_scans_no_table(name: str, index: str) -> None:
    plan = _plan(name)
    assert index in plan
    assert "SCAN durable_task_executions\n" not in f"{plan}\n"
    assert "SCAN below\n" not in f"{plan}\n"


@pytest.mark.parametrize("name", ["claim", "joinable", "expired_sleepers", "finished_roots"])
def test_sweep_stops_at_its_limit_instead_of_sorting(name: str) -> None:
    assert "USE TEMP B-TREE FOR ORDER BY" not in _plan(name)


@pytest.mark.parametrize(
    ("name", "access"),
    [
        ("newest", "SCAN durable_task_executions USING INDEX sqlite_autoindex"),
        ("on_from_a_cursor", "(execution_id>?)"),
        ("by_tags", "SEARCH tag_0 USING PRIMARY KEY (name=? AND value=? AND execution_id>?)"),
        ("by_all_else", "(execution_id>? AND execution_id<?)"),
    ],
)
def test_search_walks_the_ids_to_its_limit(name: str, access: str) -> None:
    plan = _plan_of(Searches(SqliteDialect()).of(SEARCHES[name])[0])
    assert access in plan
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan


@pytest.mark.parametrize("name", ["by_parent", "by_root"])
def test_search_in_a_tree_reads_only_the_tree(name: str) -> None:
    plan = _plan_of(Searches(SqliteDialect()).of(SEARCHES[name])[0])
    assert "INDEX durable_children (parent_execution_id=?)" in plan
    assert "SCAN durable_task_executions" not in plan
