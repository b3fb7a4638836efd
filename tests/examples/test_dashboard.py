"""The page about the dashboard does what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.visitor import Visitor
from tests.examples.pages import Page

PAGE = Page("dashboard.md")
TEXT = PAGE.text
TOKEN = "the-token-of-an-operator"


@pytest.fixture
async def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """All the names that the page defines, its executor running."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPERATOR_TOKENS", TOKEN)
    monkeypatch.setenv("DASHBOARD_SECRET", "s" * 32)
    found = PAGE.run()
    async with found["executor"]:
        yield found


async def test_the_first_application_shows_everything_to_everybody_here(
    page: dict[str, Any],
) -> None:
    handle = await page["executor"].enqueue_task(page["send_email"], "ada@example.com")
    await handle.result()
    visitor = Visitor(page["app"])
    for path in ("/ui/", "/ui/executions", "/ui/failures", "/ui/prune"):
        assert (await visitor.get(path)).status == 200
    shown = await visitor.get(f"/ui/executions/{handle.execution_id}")
    assert "sent to ada@example.com" in shown.words
    assert (await visitor.get("/ui/", host="evil.example")).status == 421


@pytest.mark.parametrize(("name", "root"), [("locked_app", "/ui"), ("web_app", "/ui")])
async def test_locked_applications_ask_for_a_token(
    page: dict[str, Any], name: str, root: str
) -> None:
    visitor = Visitor(page[name])
    assert (await visitor.get(f"{root}/")).status == 303
    answer = await visitor.fill_in(f"{root}/login", f"{root}/login", ("token", TOKEN))
    assert (answer.status, answer.header("location")) == (303, f"{root}/")
    assert "operator" in (await visitor.get(f"{root}/")).words


async def test_a_wall_only_shows(page: dict[str, Any]) -> None:
    visitor = Visitor(page["wall"])
    assert (await visitor.get("/ui/")).status == 200
    assert (await visitor.get("/ui/prune")).status == 404


async def test_an_application_of_ones_own_takes_samples_while_it_lives(
    page: dict[str, Any],
) -> None:
    dashboard = page["own_dashboard"]
    async with dashboard:
        assert dashboard.takes_samples
    assert not dashboard.takes_samples
