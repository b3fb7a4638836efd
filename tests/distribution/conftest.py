"""The wheel and the sdist, built once, and an environment with nothing but the wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Distributions:
    """What a release consists of."""

    wheel: Path
    sdist: Path


@dataclass(frozen=True)
class Installed:
    """An environment, and a folder of its own to work in that is far from the sources."""

    environment: Path
    wheel: Path

    def install(self, *extras: str) -> None:
        """Add extras, as `pip install 'durable-execution[…]'` does."""
        chosen = f"[{','.join(extras)}]" if extras else ""
        run(
            [
                str(self.command("python")),
                *("-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("-c", str(ROOT / "constraints.txt"), f"{self.wheel}{chosen}"),
            ],
            self.environment,
        )

    def packages(self) -> list[str]:
        """The names of what is there."""
        pip = [str(self.command("python")), "-m", "pip", "--disable-pip-version-check"]
        listed: list[dict[str, str]] = json.loads(
            run([*pip, "list", "--format=json"], self.environment)
        )
        return [each["name"] for each in listed]

    def command(self, name: str) -> Path:
        return self.environment / "bin" / name

    def python(self, code: str) -> str:
        return run([str(self.command("python")), "-c", code], self.environment)


def run(
    command: Sequence[str], folder: Path, settings: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Run to a good end, in an environment that knows nothing of this one; return what it says."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "VIRTUAL_ENV"} and not name.startswith(("PYTEST", "GITHUB"))
    } | dict(settings)
    answer = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Those in the folder `DIST`, which are about to be released, or built now."""
    given = os.environ.get("DIST")
    folder = Path(given).resolve() if given else tmp_path_factory.mktemp("dist")
    if not given:
        # The wheel is built of the sdist, not of the sources: what the sdist lacks is noticed.
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
        run([*build, str(ROOT)], folder)
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, sdist)


@pytest.fixture(scope="session")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel on a bare Python: with no extra at first, those of later modules stay."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True, symlinks=True)
    installed = Installed(environment, distributions.wheel)
    installed.install()
    return installed
