"""The site that `make docs` built asks nobody else for anything, and draws its diagrams."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from tests.chromium import chromium
from tests.served import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["chromium"]

ROOT: Final = Path(__file__).parent.parent.parent
SITE: Final = ROOT / "site"
DRAWN: Final = {"callbacks.html", "state-diagram.html", "web-apps.html"}
TIMEOUT: Final = 60_000.0
LOADED: Final = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\ssrc=["']?([^"'\s>]+)"""
    r"""|<link\b[^>]*?\shref=["']?([^"'\s>]+)"""
)


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    found = sorted(SITE.rglob("*.html"))
    problem = what_is_wrong_with(found)
    if problem is not None and os.environ.get("CI"):
        pytest.fail(f"{problem}, and CI must not skip what needs it")
    if problem is not None:
        pytest.skip(f"{problem}: make docs")
    return found


def what_is_wrong_with(pages: list[Path]) -> str | None:
    """Say why these pages say nothing about the sources, if that is so."""
    if not pages:
        return "the site is not built"
    built_at = (SITE / "index.html").stat().st_mtime
    sources = [ROOT / "mkdocs.yml", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    newer = [str(each.relative_to(ROOT)) for each in sources if each.stat().st_mtime > built_at]
    return f"the site is older than {newer[0]}" if newer else None


@pytest.fixture
def origin(pages: list[Path]) -> Iterator[str]:
    with served(Starlette(routes=[Mount("/", StaticFiles(directory=SITE))])) as origin:
        yield origin


def test_pages_name_nothing_of_others_to_be_loaded(pages: list[Path]) -> None:
    for page in pages:
        for of_script, of_link in LOADED.findall(page.read_text(encoding="utf-8")):
            assert not re.match(r"[a-z]+:|//", of_script or of_link), page


def test_what_draws_diagrams_is_loaded_where_there_are_some(pages: list[Path]) -> None:
    loading = {page.name for page in pages if "assets/mermaid.js" in page.read_text()}
    assert loading == DRAWN


@pytest.mark.browser
@pytest.mark.parametrize("name", sorted({"index.html", *DRAWN}))
def test_browser_asks_nobody_else(chromium: Browser, origin: str, name: str) -> None:
    asked: list[str] = []
    page = chromium.new_page()
    page.set_default_timeout(TIMEOUT)
    page.route(re.compile(rf"^(?!{origin}/|data:)"), lambda route: route.abort())
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{origin}/{name}")
    if name in DRAWN:
        # The theme draws into a shadow root, in place of the text.
        page.wait_for_selector("div.mermaid", state="attached")
        assert page.locator("div.mermaid").bounding_box()["height"] > 50  # type: ignore[index]
    page.wait_for_load_state("networkidle")
    page.close()
    assert asked
    assert not [url for url in asked if not url.startswith((f"{origin}/", "data:"))]
