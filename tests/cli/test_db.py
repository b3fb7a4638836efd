"""`durable-execution db`, run in this process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine
from typer.testing import CliRunner, Result

from durable_execution.cli.application import application
from durable_execution.storage import create_task_executions_table
from durable_execution.storage.sql.migrations import STEPS

NEWEST = len(STEPS) + 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(application, ["db", *arguments], env=environment)


def said(result: Result) -> tuple[int, str]:
    return result.exit_code, (result.stderr or result.stdout).strip()


def change(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_upgrade_creates_once(file: Path) -> None:
    url = f"sqlite:///{file}"
    assert said(run("upgrade", url)) == (0, f"schema version {NEWEST}: created")
    assert said(run("upgrade", url)) == (0, f"schema version {NEWEST}: was up to date")
    assert said(run("check", url)) == (0, f"schema version {NEWEST}: up to date")
    assert said(run("current", url)) == (0, f"schema version {NEWEST}, this release needs {NEWEST}")


def test_database_without_tables_fails_the_check_and_stays_as_it_is(file: Path) -> None:
    change(file, "CREATE TABLE mine (x)")
    code, text = said(run("check", f"sqlite:///{file}"))
    assert (code, text) == (
        1,
        "error: the database has no table durable_task_executions: "
        "run durable-execution db upgrade",
    )
    assert said(run("current", f"sqlite:///{file}")) == (0, "no tables")


def test_file_that_does_not_exist_is_told_and_not_made(file: Path) -> None:
    for command in ("check", "current"):
        code, text = said(run(command, f"sqlite:///{file}"))
        assert (code, text) == (3, f"error: SQLite, {file}: there is no such file")
    assert not file.exists()


def test_newer_and_older_databases_fail_the_check(file: Path) -> None:
    url = f"sqlite:///{file}"
    run("upgrade", url)
    change(file, "UPDATE durable_execution_schema SET version = 99")
    for command in ("check", "upgrade"):
        code, text = said(run(command, url))
        assert code == 1
        assert f"has schema version 99, this release knows only {NEWEST}" in text
    change(file, "UPDATE durable_execution_schema SET version = 0")
    code, text = said(run("check", url))
    assert code == 1
    assert text.endswith(f"this release needs {NEWEST}: run durable-execution db upgrade")


def test_tables_of_the_application_are_checked_by_their_columns(file: Path) -> None:
    url = f"sqlite:///{file}"
    metadata = MetaData()
    create_task_executions_table(metadata, dialect="sqlite", name="jobs")
    engine = create_engine(url)
    metadata.create_all(engine)
    engine.dispose()
    arguments = (url, "--table", "jobs")
    assert said(run("check", *arguments)) == (0, "tables without a version: all columns are there")
    assert said(run("current", *arguments)) == (
        0,
        "tables without a version: migrated by the application",
    )
    assert said(run("upgrade", *arguments))[0] == 2
    change(file, "ALTER TABLE jobs_executors RENAME COLUMN lease_expires_at TO other")
    code, text = said(run("check", *arguments))
    assert code == 1
    assert "lease_expires_at" in text


def test_url_is_taken_from_the_environment(file: Path) -> None:
    assert said(run("upgrade", DATABASE_URL=f"sqlite:///{file}"))[0] == 0
    environment = {"DATABASE_URL": "", "DURABLE_EXECUTION_DATABASE": f"sqlite:///{file}"}
    assert said(run("check", **environment))[0] == 0
    assert file.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "memory://"], "storages in memory have no tables"),
        (["check", "tasks.db"], "storage url has no scheme"),
        (["check", "sqlite:///x.db", "--table", "a;b"], "1 to 40 lower-case letters"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], message: str) -> None:
    code, text = said(run(*arguments))
    assert code == 2
    assert message in text


@pytest.mark.parametrize("command", ["check", "current", "upgrade"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@127.0.0.1:1/db",
        "postgresql://user:hun/ter2@127.0.0.1:1/db",
        "postgresql://user:hunter2@127.0.0.1:port/db",
        "postgresql://user:hunter2@127.0.0.1:1/db?shema=x",
        "postgresql+pg8000://user:hunter2@127.0.0.1:1/db",
        "postgres:/user:hunter2@127.0.0.1:1/db",
        "oracle://user:hunter2@127.0.0.1:1/db",
    ],
)
def test_password_is_never_shown(command: str, url: str) -> None:
    for result in (run(command, url), run(command, "--help", DATABASE_URL=url)):
        assert "hunter2" not in result.output
        assert "ter2" not in result.output
    assert run(command, url).exit_code in (2, 3)
