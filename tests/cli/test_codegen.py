"""`durable-execution codegen`, run in this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from durable_execution.cli.application import application

MODULE = """
from dataclasses import dataclass
from durable_execution import TaskContext, Tasks

tasks = Tasks()

@dataclass
class Email:
    to: str

@tasks.task(id="sendEmail")
async def send_email(ctx: TaskContext, email: Email) -> Email: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mailing.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mailing", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(application, ["codegen", *arguments])


def test_file_is_written_once_and_then_up_to_date(folder: Path) -> None:
    file = folder / "tasks.gen.ts"
    first = run("typescript", "mailing:tasks", "-o", "tasks.gen.ts")
    assert (first.exit_code, first.stderr) == (0, "tasks.gen.ts: written\n")
    assert "sendEmail: { input: Email; output: Email; sleeping: false }" in file.read_text()
    written_at = file.stat().st_mtime_ns

    again = run("typescript", "mailing:tasks", "-o", "tasks.gen.ts")
    assert (again.exit_code, again.stderr) == (0, "tasks.gen.ts: up to date\n")
    assert file.stat().st_mtime_ns == written_at  # nothing that watches it builds again


def test_text_goes_to_standard_output_without_a_file(folder: Path) -> None:
    result = run("typescript", "mailing:tasks")

    assert result.exit_code == 0
    assert result.stdout.startswith("// Generated ")
    assert list(folder.glob("*.ts")) == []


def test_check_passes_for_the_file_of_now_and_changes_nothing(folder: Path) -> None:
    file = folder / "tasks.gen.ts"
    run("typescript", "mailing:tasks", "-o", "tasks.gen.ts")
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))  # as git on Windows leaves it

    result = run("typescript", "mailing:tasks", "-o", "tasks.gen.ts", "--check")

    assert result.exit_code == 0
    assert b"\r\n" in file.read_bytes()


@pytest.mark.parametrize(
    ("found", "problem"), [(None, "does not exist"), ("old", "is not what the tasks' hints say")]
)
def test_check_fails_for_a_stale_file_and_says_what_to_run(
    folder: Path, found: str | None, problem: str
) -> None:
    file = folder / "tasks.gen.ts"
    if found is not None:
        file.write_text(found)

    result = run("typescript", "mailing:tasks", "-o", "tasks.gen.ts", "--check")

    assert result.exit_code == 1
    assert result.stderr == (
        f"error: tasks.gen.ts {problem}: "
        "run durable-execution codegen typescript mailing:tasks -o tasks.gen.ts\n"
    )
    assert (file.read_text() if file.exists() else None) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mailing:nothing",), "'mailing' has no attribute 'nothing'"),
        (("mailing:tasks", "--check"), "--check needs the file to look at: give it with -o"),
        (("mailing:tasks", "-o", "no/such/folder.ts"), "no/such/folder.ts: No such file"),
    ],
)
def test_wrong_arguments_are_told(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run("typescript", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_document_has_the_server_and_title_it_is_given(folder: Path) -> None:
    result = run("openapi", "mailing:tasks", "--server", "https://a.example/v1", "--title", "Mail")

    document = json.loads(result.stdout)
    assert document["servers"] == [{"url": "https://a.example/v1"}]
    assert document["info"]["title"] == "Mail"
    assert "/tasks/sendEmail/executions" in document["paths"]
