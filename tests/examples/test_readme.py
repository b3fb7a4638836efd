"""What the README prints is run as it is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.pages import Page

README = Page("README.md")
PORT = "3000"
"""The one that the README prints; tests take a free one in its place."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    README.write_files(tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """The server, started with the README's command; gives its port."""
    [command] = (each for each in README.commands() if each.startswith("durable-execution serve"))
    arguments = command.replace(PORT, "0").split()[1:]
    with subprocess.Popen(
        [sys.executable, "-m", "durable_execution.cli", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        banner = process.stdout.readline()
        found = re.search(r":(\d+), 1 task$", banner)
        assert found is not None, banner
        yield found[1]
        process.terminate()
        assert process.wait(timeout=30) == 0


def run(folder: Path, *words: str) -> str:
    answer = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.processes
def test_quickstart_runs(folder: Path) -> None:
    assert re.fullmatch(r"\{'messageId': 'msg_te_\w{24}'\}\n", run(folder, "quickstart.py"))


@pytest.mark.processes
def test_server_answers_the_client(folder: Path, server: str) -> None:
    client = folder / "client.py"
    assert f"localhost:{PORT}/rpc" in client.read_text()
    client.write_text(client.read_text().replace(PORT, server))
    assert re.fullmatch(r"sent as msg_te_\w{24}\n", run(folder, "client.py"))


@pytest.mark.processes
def test_types_of_the_server_are_written_for_typescript(folder: Path) -> None:
    [command] = re.findall(r"`durable-execution (codegen typescript [^`]+)`", README.text)
    run(folder, "-m", "durable_execution.cli", *command.split())
    assert "sendEmail" in (folder / "tasks.gen.ts").read_text(encoding="utf-8")
