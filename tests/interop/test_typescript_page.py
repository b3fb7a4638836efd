"""The page about TypeScript does what it says: its command, its compiler errors, its output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from durable_execution.cli.application import application
from tests.examples.pages import Page

pytestmark = pytest.mark.interop

ROOM = Path(__file__).parent
PAGE = Page("typescript.md")
ORIGIN = "http://localhost:3000"
RUN_TIMEOUT = 60.0


def block(language: str) -> str:
    return PAGE.of(language)[0]


@pytest.fixture
def folder(tmp_path: Path, node_modules: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the page, and those that its command writes."""
    (tmp_path / "mailing.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "app.ts").write_text(block("ts"), encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    options = json.loads((ROOM / "generated" / "tsconfig.json").read_text(encoding="utf-8"))
    (tmp_path / "tsconfig.json").write_text(json.dumps(options), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(node_modules.resolve())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mailing", raising=False)
    command = block("sh").split()
    assert command.pop(0) == "durable-execution"
    assert CliRunner().invoke(application, command).exit_code == 0
    return tmp_path


def test_page_runs_against_its_server(
    folder: Path, node: str, tsc: Callable[[Path], None], serve_app: Callable[[Any], str]
) -> None:
    from mailing import app  # of the page

    source = (folder / "app.ts").read_text(encoding="utf-8")
    assert ORIGIN in source
    (folder / "app.ts").write_text(source.replace(ORIGIN, serve_app(app)), encoding="utf-8")
    tsc(folder)
    answer = subprocess.run(
        [node, str(folder / "dist" / "app.js")],
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    *progress, sent, waited, again = answer.stdout.splitlines()
    # An execution that ends at once may have ended before anybody watched it.
    assert progress in ([], ["progress: half of it is out"])
    assert (sent, waited) == ("sent to ada@example.com 0", "ada@example.com")
    assert again == "true"


def test_wrong_input_does_not_compile(folder: Path, tsc: Callable[[Path], None]) -> None:
    source = (folder / "app.ts").read_text(encoding="utf-8")
    wrong = source.replace("send_at: new Date()", "send_at: 'today'")
    assert wrong != source
    (folder / "app.ts").write_text(wrong, encoding="utf-8")

    with pytest.raises(AssertionError, match="Type 'string' is not assignable to type 'Date'"):
        tsc(folder)
