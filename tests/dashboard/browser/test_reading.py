"""Whether people can read and use the pages: small, dark, by keyboard, by screen reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import TOKEN, Site, Tab, open_site

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}


class Furnished(NamedTuple):
    """A site that all tests of this file look at, with something to show on every page."""

    site: Site
    tree: str
    values: str
    running: str
    asleep: str

    @property
    def paths(self) -> list[str]:
        """All kinds of pages."""
        ids = (self.tree, self.values, self.running, self.asleep)
        executions = [f"/executions/{each}" for each in ids]
        pages = ["/", "/executions", "/failures", "/prune", *executions]
        return [*pages, f"{executions[-1]}/wake", "/executions?tag=wrong", "/nowhere"]


@pytest.fixture(scope="module")
def furnished() -> Iterator[Furnished]:
    with open_site() as site:
        site.ended("fail", "order 17 is lost", tags={"customer": "42"})
        yield Furnished(
            site,
            tree=site.ended("tree", 3),
            values=site.ended("echo", {"a": [1, None, True, "text"], "b": {}, "c": 2**70}),
            running=site.enqueue("wait", "x"),
            asleep=site.enqueue("sleep", "order-1"),
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(
    furnished: Furnished, new_tab: Callable[..., Tab], scheme: str
) -> None:
    # With motion reduced, so that no colour is measured in the middle of an animation.
    page = new_tab(color_scheme=scheme, reduced_motion="reduce", bypass_csp=True).page
    for path in furnished.paths:
        _go(page, furnished.site.url(path))
        found = Axe().run(page)
        violations = [
            (each["id"], each["nodes"][0]["html"][:200]) for each in found.response["violations"]
        ]
        assert violations == [], path


def test_the_login_is_accessible(locked_site: Site, new_tab: Callable[..., Tab]) -> None:
    page = new_tab(bypass_csp=True).page
    page.goto(locked_site.url("/"))
    assert Axe().run(page).response["violations"] == []


def test_pages_fit_a_phone(site: Site, furnished: list[str], new_tab: Callable[..., Tab]) -> None:
    page = new_tab(viewport=PHONE, has_touch=True).page
    for path in furnished.paths:
        _go(page, furnished.site.url(path))
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], path


def test_dark_is_dark_and_light_is_light(furnished: Furnished, new_tab: Callable[..., Tab]) -> None:
    def brightness(scheme: str) -> int:
        page = new_tab(color_scheme=scheme).page
        page.goto(furnished.site.url("/prune"))
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.strip("rgb()").split(","))

    assert brightness("dark") < 150 < 600 < brightness("light")


def test_nothing_moves_for_those_who_do_not_want_it(
    furnished: Furnished, new_tab: Callable[..., Tab]
) -> None:
    for motion, count in (("no-preference", True), ("reduce", False)):
        page = new_tab(reduced_motion=motion).page
        _go(page, furnished.site.url(f"/executions/{furnished.running}"))
        assert bool(page.evaluate("document.getAnimations().length")) == count


def test_everything_is_reached_by_keyboard(furnished: Furnished, page: Page) -> None:
    page.goto(furnished.site.url("/executions?task=echo&roots=1"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(_NAME_OF_FOCUSED))
    assert f"Select echo {furnished.values}" in seen
    assert "echo" in seen
    assert "Search" in seen
    outline = page.evaluate(
        "() => { document.querySelector('main a').focus({focusVisible: true});"
        " return getComputedStyle(document.activeElement).outlineStyle; }"
    )
    assert outline == "solid"


def test_landmarks_and_headings_lead_around(furnished: Furnished, page: Page) -> None:
    page.goto(furnished.site.url(f"/executions/{furnished.tree}"))
    for role in ("banner", "main"):
        expect(page.get_by_role(role)).to_have_count(1)  # type: ignore[arg-type]
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    for name in ("Timeline", "Input", "Output", "Facts"):
        expect(page.get_by_role("region", name=name)).to_have_count(1)
    lane = page.get_by_role("row", name="tree").get_by_role("img").first
    assert "waiting for children" in (lane.get_attribute("aria-label") or "")


def test_times_are_told_in_words_and_exactly(site: Site, page: Page) -> None:
    site.ended("echo", 1)
    page.goto(site.url("/executions"))
    time = page.locator("tbody time").first
    expect(time).to_have_text("now")
    assert "Z" in (time.get_attribute("title") or "")


def test_a_link_to_a_page_survives_the_login(locked_site: Site, page: Page) -> None:
    execution_id = locked_site.ended("echo", 1)
    page.goto(locked_site.url(f"/executions/{execution_id}"))
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(execution_id)


def _go(page: Page, url: str) -> None:
    answer: Any = page.goto(url)
    if answer.status == 200 and page.locator("#live").count():
        expect(page.locator("#liveness")).to_have_text("live")


_NAME_OF_FOCUSED = """() => {
  const focused = document.activeElement;
  return focused.getAttribute("aria-label") || focused.textContent.trim();
}"""
