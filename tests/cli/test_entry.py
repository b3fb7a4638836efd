from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

pytestmark = pytest.mark.processes


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_version_is_the_one_of_the_distribution() -> None:
    answer = run("from durable_execution.cli import main; main()", "--version")
    assert (answer.returncode, answer.stdout) == (
        0,
        f"durable-execution {version('durable-execution')}\n",
    )


@pytest.mark.parametrize(("missing", "command"), [("typer", "list"), ("uvicorn", "serve")])
def test_missing_extra_is_answered_with_how_to_install_it(missing: str, command: str) -> None:
    answer = run(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from durable_execution.cli import main; main()",
        *(command, "module:app"),
    )
    assert answer.returncode == 2
    assert answer.stderr == (
        f"error: the command line needs the package {missing!r}: "
        "pip install 'durable-execution[server]'\n"
    )


def test_missing_package_that_is_not_of_the_extra_is_not_hidden() -> None:
    answer = run(
        "import sys; sys.modules['msgspec'] = None\nfrom durable_execution.cli import main; main()",
        *("db", "check", "sqlite:///x.db"),
    )
    assert answer.returncode == 1
    assert "ModuleNotFoundError" in answer.stderr


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("list", "--help")])
def test_what_asks_nothing_loads_no_engine_and_no_database(arguments: tuple[str, ...]) -> None:
    answer = run(
        "import sys\nfrom durable_execution.cli import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)",
        *arguments,
    )
    assert answer.returncode == 0
    loaded = set(answer.stderr.split())
    heavy = {"sqlalchemy", "uvicorn", "msgspec", "durable_execution.executor"}
    assert not loaded & heavy
