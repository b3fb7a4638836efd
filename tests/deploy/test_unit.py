"""The unit for systemd says what systemd understands, and what the command understands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from durable_execution.cli.application import application

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
UNIT = (DEPLOY / "durable-execution.service").read_text(encoding="utf-8")
MOST_EXPOSURE = 20
"""Tenths, of 100, that systemd may find exposed."""


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not installed, and CI must not skip what needs it")
        pytest.skip("systemd-analyze is not installed")
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, its command one that is there."""
    unit = tmp_path / "durable-execution.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT, flags=re.MULTILINE))
    return unit


def test_systemd_finds_nothing_wrong(analyze: str, unit: Path) -> None:
    answer = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert unit.name not in answer.stderr


def test_systemd_finds_little_exposed(analyze: str, unit: Path) -> None:
    answer = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout


def test_command_of_the_unit_is_one_that_serve_takes() -> None:
    settings = dict(re.findall(r"(\w+)=(\S+)", found("Environment")))
    words = found("ExecStart").split()
    assert Path(words[0]).name == "durable-execution"
    given = [settings[word[2:-1]] if word.startswith("${") else word for word in words[1:]]
    command = typer.main.get_command(application)
    with command.make_context("durable-execution", given, resilient_parsing=False) as context:
        name, serve, rest = command.resolve_command(context, given)
        assert name == "serve"
        with serve.make_context(name, rest, parent=context) as parsed:
            assert parsed.params["target"] == settings["APPLICATION"]
            assert parsed.params["port"] == int(settings["PORT"])


def test_stopping_leaves_time_for_what_the_server_does_then() -> None:
    from durable_execution import ExecutorOptions
    from durable_execution.cli.process import ANSWER_TIMEOUT

    seconds = int(found("TimeoutStopSec").removesuffix("s"))
    shutdown = ExecutorOptions().shutdown_timeout
    assert isinstance(shutdown, int | float)
    assert seconds >= 2 * (ANSWER_TIMEOUT + shutdown)


def test_account_of_the_unit_is_made_by_the_other_file() -> None:
    account = (DEPLOY / "durable-execution.sysusers").read_text().splitlines()[-1].split()
    assert (account[0], account[1]) == ("u", found("User"))
    assert account[-1] == f"/var/lib/{found('StateDirectory')}" == found("WorkingDirectory")


def found(setting: str) -> str:
    [value] = re.findall(rf"^{setting}=(.*)$", UNIT, re.MULTILINE)
    assert isinstance(value, str)
    return value
