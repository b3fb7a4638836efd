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


@pytest.mark.parametrize("missing", ["typer", "uvicorn"])
def test_missing_extra_is_answered_with_how_to_install_it(missing: str) -> None:
    answer = run(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from durable_execution.cli import main; main()"
    )
    assert answer.returncode == 2
    assert answer.stderr == (
        f"error: the command line needs the package {missing!r}: "
        "pip install 'durable-execution[server]'\n"
    )


def test_missing_package_that_is_not_of_the_extra_is_not_hidden() -> None:
    answer = run(
        "import sys; sys.modules['msgspec'] = None\nfrom durable_execution.cli import main; main()"
    )
    assert answer.returncode == 1
    assert "ModuleNotFoundError" in answer.stderr
