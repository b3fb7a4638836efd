"""The tutorial as a new user has it: with what is released, and the page alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.distribution.conftest import Installed
from tests.examples.pages import Page
from tests.examples.shell import INSTALLS, run_commands

pytestmark = [pytest.mark.distributions, pytest.mark.timeout(400)]


def test_tutorial_ends_well(installed: Installed, tmp_path: Path) -> None:
    page = Page("tutorial.md")
    assert INSTALLS.findall(page.of("sh")[0])[-1] == "pip install 'durable-execution[server]'"
    installed.install("server")
    for said, expected in run_commands(page, tmp_path, installed.environment / "bin"):
        assert expected is None or said == expected
