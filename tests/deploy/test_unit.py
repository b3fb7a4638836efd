"""The units for systemd say what systemd understands, and what the commands understand."""

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
SERVER, WORKERS = (
    (DEPLOY / f"{name}.service").read_text(encoding="utf-8")
    for name in ("durable-execution", "durable-execution-worker")
)
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


@pytest.fixture(params=[SERVER, WORKERS], ids=["server", "workers"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit, its command one that is there."""
    unit = tmp_path / "durable-execution.service"
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", request.param, flags=re.MULTILINE)
    unit.write_text(text)
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


@pytest.mark.parametrize(
    ("unit", "name", "given"),
    [
        (SERVER, "serve", {"target": "APPLICATION", "host": "HOST", "port": "PORT"}),
        (WORKERS, "worker", {"target": "EXECUTOR", "processes": "PROCESSES"}),
    ],
    ids=["server", "workers"],
)
def test_command_of_the_unit_is_one_that_there_is(
    unit: str, name: str, given: dict[str, str]
) -> None:
    settings = dict(re.findall(r"(\w+)=(\S+)", found("Environment", unit)))
    words = found("ExecStart", unit).split()
    assert Path(words[0]).name == "durable-execution"
    words = [settings[word[2:-1]] if word.startswith("${") else word for word in words[1:]]
    command = typer.main.get_command(application)
    with command.make_context("durable-execution", words, resilient_parsing=False) as context:
        chosen, its_command, rest = command.resolve_command(context, words)
        assert chosen == name
        with its_command.make_context(chosen, rest, parent=context) as parsed:
            taken = {parameter: str(parsed.params[parameter]) for parameter in given}
    assert taken == {parameter: settings[setting] for parameter, setting in given.items()}


def test_units_differ_in_what_they_run_alone() -> None:
    differing = ("#", "Description=", "ExecStart=", "Environment=")
    server, workers = (
        [line for line in unit.splitlines() if not line.startswith(differing)]
        for unit in (SERVER, WORKERS)
    )
    assert server == workers


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


def found(setting: str, unit: str = SERVER) -> str:
    [value] = re.findall(rf"^{setting}=(.*)$", unit, re.MULTILINE)
    assert isinstance(value, str)
    return value
