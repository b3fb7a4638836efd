"""Every block of every page is run by a test, and every link leads somewhere.

A page without a test of its own is not allowed: it stands in `RUN_BY`, or has no block of code.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

import click
import pytest
import typer

from durable_execution.cli.application import application
from tests.examples.pages import ROOT, Block, Page

RUN_BY: Final = {
    "README.md": ("tests/examples/test_readme.py", "tests/interop/test_pages.py"),
    "callbacks.md": ("tests/examples/test_callbacks.py", "tests/interop/test_callbacks.py"),
    "command-line.md": ("tests/examples/test_command_line.py",),
    "dashboard.md": ("tests/examples/test_dashboard.py",),
    "deploys.md": ("tests/examples/test_guides.py",),
    "django.md": ("tests/examples/test_guides.py",),
    "fastapi.md": ("tests/examples/test_guides.py",),
    "idempotency-and-search.md": ("tests/examples/test_idempotency_and_search.py",),
    "idempotent-tasks.md": ("tests/examples/test_guides.py",),
    "orpc.md": ("tests/examples/test_orpc.py", "tests/interop/test_pages.py"),
    "postgres.md": ("tests/examples/test_guides.py", "tests/examples/test_postgres_guide.py"),
    "rest.md": ("tests/examples/test_rest.py",),
    "security.md": ("tests/examples/test_security.py",),
    "tasks.md": ("tests/examples/test_tasks.py",),
    "telemetry.md": ("tests/examples/test_telemetry.py",),
    "testing.md": ("tests/examples/test_guides.py",),
    "tuning.md": ("tests/examples/test_guides.py",),
    "tutorial.md": ("tests/examples/test_tutorial.py",),
    "typescript.md": ("tests/interop/test_typescript_page.py",),
    "waiting-and-watching.md": ("tests/examples/test_waiting_and_watching.py",),
    "web-apps.md": ("tests/examples/test_web_apps.py", "tests/interop/test_web_apps.py"),
    "your-database.md": ("tests/examples/test_your_database.py",),
}
"""The tests that run the blocks of a page, commands aside: those are checked here as well."""

NOT_RUN: Final[dict[tuple[str, str], str]] = {}
"""Blocks that no test runs, by page and first line, each with its reason."""

READ_BY_PEOPLE: Final = {"", "mermaid"}
"""Languages that say nothing to a machine but how they look."""

PAGES: Final = [
    "README.md",
    *sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")),
]
EXTRAS: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
PROGRAMS: Final = (
    *(
        "curl",
        "export",
        "grep",
        "kill",
        "mariadb-dump",
        "npm",
        "pg_dump",
        "python",
        "python3",
        "sleep",
        "sqlite3",
        "tail",
        "until",
        "uvicorn",
        "wait",
    ),
    *(".", "sender=$!", "server=$!"),
)
"""What else pages run; the tests of those pages run it too."""


@pytest.mark.parametrize("name", PAGES)
def test_blocks_of_the_page_are_run(name: str) -> None:
    blocks = [block for block in Page(name).blocks if block.language not in READ_BY_PEOPLE]
    left = [block for block in blocks if (name, block.text.splitlines()[0]) not in NOT_RUN]
    others = [block for block in left if block.language not in {"sh", "bash"}]
    if not others:
        return
    assert name in RUN_BY, f"{name}: no test runs its block in line {others[0].line}"
    for test in RUN_BY[name]:
        assert (ROOT / test).exists()
    if "python" in {block.language for block in others}:
        assert any(reads(ROOT / test, name) for test in RUN_BY[name]), f"who reads {name}?"


def reads(test: Path, page: str) -> bool:
    """Whether a test, or what it imports from beside it, has the page."""
    texts = [test.read_text()]
    beside = re.findall(r"from tests\.examples\.(\w+) import", texts[0])
    texts += ((ROOT / "tests" / "examples" / f"{module}.py").read_text() for module in beside)
    return any(f'Page("{page}")' in text for text in texts)


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_the_page_can_be_given(name: str) -> None:
    for command in Page(name).commands():
        check_command(command)


def check_command(command: str) -> None:
    words = re.sub(r"\s*(?:>>?|2>&1|&$|\|).*$", "", command).split()
    match words:
        case ["durable-execution", *given]:
            check_own_command(given)
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case ["pip", "install", what]:
            found = re.fullmatch(r"'?durable-execution(?:\[([\w,]+)\])?'?", what)
            assert found is not None, command
            assert set((found[1] or "server").split(",")) <= set(EXTRAS)
        case ["make"]:
            pass
        case [program, *_]:
            assert program in PROGRAMS, command


def check_own_command(given: list[str]) -> None:
    """Read options and arguments as the command does, without doing what it does."""
    command: click.Command = typer.main.get_command(application)
    context = command.make_context("durable-execution", list(given))
    while isinstance(command, click.Group):
        _, found, given = command.resolve_command(context, list(given))
        assert found is not None
        command = found
        context = command.make_context(command.name, list(given), parent=context)


def test_nothing_is_excused_that_is_not_there() -> None:
    there = {(name, block.text.splitlines()[0]) for name in PAGES for block in blocks_of(name)}
    assert set(NOT_RUN) <= there


def blocks_of(name: str) -> tuple[Block, ...]:
    return Page(name).blocks


def test_decisions_have_numbers_of_their_own() -> None:
    names = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    counted = Counter(name.partition("-")[0] for name in names)
    assert [number for number, count in counted.items() if count > 1] == []
    for name in names:
        title = (ROOT / "docs" / "decisions" / name).read_text().splitlines()[0]
        assert title.startswith(f"# {int(name.partition('-')[0])}. "), name


LINKING: Final = [
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    ROOT / "bench" / "README.md",
    ROOT / "examples" / "typescript" / "README.md",
]


@pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """What can be linked to in a page, in the way of forges."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    bare = (re.sub(r"[^\w\s-]", "", title.lower()) for title in titles)
    return frozenset(re.sub(r"\s", "-", title.strip()) for title in bare)


def test_site_leads_to_every_page() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    listed = set(re.findall(r"([\w/.-]+\.md)$", nav, re.MULTILINE))
    pages = {page for page in PAGES if page != "README.md" and not page.startswith("decisions/")}
    assert pages <= listed
