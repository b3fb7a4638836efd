"""The page about the command line does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.pages import Page
from tests.remote.lab import started_lab
from tests.remote.test_operating import app_of
from tests.remote.wires import listening

PAGE = Page("command-line.md")
COMMAND = f"{shlex.quote(sys.executable)} -m durable_execution.cli"
ENVIRONMENT = {**os.environ, "DURABLE_EXECUTION_DATABASE": "sqlite:///tasks.db"}
FAILING = {"durable-execution enqueue charge 99900 --wait --json"}
"""What the page says fails."""

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="the page is for shells of Unix"),
]


def commands() -> list[str]:
    """Return all commands of the page, in order, without what only sets the scene."""
    return [line for line in PAGE.commands() if line.startswith("durable-execution ")]


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    text = re.sub(r"\bdurable-execution\b", COMMAND, command)
    # What picks the ids from JSON need not be installed where tests run.
    text = text.replace(
        "jq -r .executionId",
        f"""{shlex.quote(sys.executable)} -c 'import json, sys
for line in sys.stdin: print(json.loads(line)["executionId"])'""",
    )
    return subprocess.run(
        text, shell=True, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    PAGE.write_files(tmp_path)
    return tmp_path


@pytest.fixture
def page(folder: Path) -> Iterator[list[str]]:
    """The commands that are left once the workers run."""
    upgrade, worker, *rest = commands()
    assert shell(upgrade, folder).returncode == 0
    assert worker.startswith("durable-execution worker ")
    arguments = [sys.executable, "-m", "durable_execution.cli", *shlex.split(worker)[1:]]
    with subprocess.Popen(arguments, cwd=folder, env=ENVIRONMENT) as process:
        try:
            deadline = time.monotonic() + 30
            while (
                json.loads(shell("durable-execution stats --json", folder).stdout)["executors"]
                == []
            ):
                assert time.monotonic() < deadline, "no worker lives"
            yield rest
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.terminate()


def test_the_page_runs_as_it_is_printed(folder: Path, page: list[str]) -> None:
    assert len(page) > 8
    for command in page:
        done = shell(command, folder)
        expected = 1 if command in FAILING else 0
        # With nothing to retry, xargs calls retry without an id.
        is_empty = "xargs" in command and "Missing argument" in done.stderr
        assert done.returncode == expected or is_empty, (command, done.stdout, done.stderr)
    assert "the card was refused" in shell("durable-execution list --failed", folder).stdout
    retried = next(command for command in page if "xargs" in command)
    assert shell(retried, folder).stdout.endswith(" ready\n")


async def test_what_the_page_retries_from_python_runs_again() -> None:
    async with started_lab() as lab, listening(app_of(lab)) as port:
        handle = await lab.executor.enqueue_task(lab.held)
        await handle.cancel()
        retry_at = PAGE.run()["retry_at"]
        status = await retry_at(f"http://127.0.0.1:{port}/rpc", "a-token", handle.execution_id)
        assert status in ("ready", "running")


def test_the_table_of_exit_codes_is_the_one_of_the_commands() -> None:
    from durable_execution.cli import exits

    codes = [exits.FAILED, exits.MISUSED, exits.UNREACHABLE, exits.NOT_FOUND, exits.REFUSED]
    told = re.findall(r"^\| (\d) \| ", PAGE.text, re.MULTILINE)
    assert [int(each) for each in told] == [0, *codes]
