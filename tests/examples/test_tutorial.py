"""The tutorial, command by command, in a shell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.examples.pages import Page
from tests.examples.shell import run_commands

pytestmark = pytest.mark.processes

PAGE = Page("tutorial.md")


def test_commands_say_what_the_page_says(tmp_path: Path) -> None:
    blocks = run_commands(PAGE, tmp_path, Path(sys.executable).parent)
    assert sum(expected is not None for _, expected in blocks) == 2
    for said, expected in blocks:
        if expected is not None:
            assert said == expected
