"""The SQL of every dialect as files, so that a review reads what the database will.

`python -m tests.storage.golden` writes them anew.
"""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

from durable_execution.storage.search import Search
from durable_execution.storage.sql.driver import SqlDialect, Statement
from durable_execution.storage.sql.migrations import schema_ddl
from durable_execution.storage.sql.mysql import MySqlDialect
from durable_execution.storage.sql.mysql_batches import together
from durable_execution.storage.sql.postgres import PostgresDialect
from durable_execution.storage.sql.searching import Searches
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.statements import build_statements

FOLDER = Path(__file__).parent / "golden"
DIALECTS: tuple[SqlDialect, ...] = (SqliteDialect(), PostgresDialect(), MySqlDialect())
SEARCHES = {
    "newest": Search(with_payloads=True),
    "on_from_a_cursor": Search(order="oldest_first", cursor="b2E"),
    "by_tags": Search(tags=(("a", "1"), ("b", "2")), id_from="a"),
    "by_parent": Search(parent_execution_id="a"),
    "by_root": Search(root_execution_id="a"),
    "by_all_else": Search(
        task_ids=frozenset(),
        statuses=frozenset(),
        created_from=0,
        created_before=1,
        finished_from=0,
        finished_before=1,
        is_root=True,
        id_from="a",
        id_before="b",
    ),
}
"""Some of the searches there are."""
WHAT_RUNS = Search(statuses=frozenset({"running"}), id_before="b")


def golden_texts(dialect: SqlDialect) -> dict[str, str]:
    built = build_statements(dialect)
    statements = {field.name: getattr(built, field.name) for field in dataclasses.fields(built)}
    searches = Searches(dialect)
    statements |= {f"search_{name}": searches.of(search)[0] for name, search in SEARCHES.items()}
    if not searches.is_led(WHAT_RUNS):
        statements["search_edge"] = searches.edge(WHAT_RUNS)[0]
        statements["search_among_all"] = searches.among_all(WHAT_RUNS)[0]
    if isinstance(dialect, MySqlDialect):
        statements |= {
            f"{name}_together": Statement(text, ("values of all rows",))
            for name in ("complete", "finish", "requeue", "wait", "park")
            if (text := together(statements[name])) is not None
        }
    texts = {"schema": ";\n\n".join(schema_ddl(dialect))}
    for name, statement in statements.items():
        if statement is None:
            continue
        parameters = textwrap.wrap(", ".join(statement.names) or "none", 90)
        head = "\n".join(f"-- {line}" for line in ["parameters:", *parameters])
        texts[name] = f"{head}\n{_folded(statement.text)}"
    return {f"{name}.sql": f"{_without_trailing(text)};\n" for name, text in texts.items()}


def _folded(text: str) -> str:
    lines = [
        line
        for raw in text.splitlines()
        for line in textwrap.wrap(
            raw.strip(), 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    ]
    return "\n".join(lines)


def _without_trailing(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\t", "    ").splitlines())


def main() -> None:
    for dialect in DIALECTS:
        folder = FOLDER / dialect.name
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.sql"):
            stale.unlink()
        for name, text in golden_texts(dialect).items():
            (folder / name).write_text(text)


if __name__ == "__main__":
    main()
