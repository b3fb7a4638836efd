"""The SQL of every dialect as files, so that a review reads what the database will.

`python -m tests.storage.golden` writes them anew.
"""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

from durable_execution.storage.sql.driver import SqlDialect
from durable_execution.storage.sql.migrations import schema_ddl
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.statements import build_statements

FOLDER = Path(__file__).parent / "golden"
DIALECTS: tuple[SqlDialect, ...] = (SqliteDialect(),)


def golden_texts(dialect: SqlDialect) -> dict[str, str]:
    statements = build_statements(dialect)
    texts = {"schema": ";\n\n".join(schema_ddl(dialect))}
    for field in dataclasses.fields(statements):
        statement = getattr(statements, field.name)
        parameters = textwrap.wrap(", ".join(statement.names) or "none", 90)
        head = "\n".join(f"-- {line}" for line in ["parameters:", *parameters])
        texts[field.name] = f"{head}\n{_folded(statement.text)}"
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
