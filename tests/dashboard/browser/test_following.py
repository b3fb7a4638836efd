from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from durable_execution.dashboard.filters import PAGE
from tests.dashboard.browser.conftest import Site, Tab

pytestmark = pytest.mark.browser


def test_an_execution_is_followed_to_its_end_without_a_reload(site: Site, page: Page) -> None:
    execution_id = site.enqueue("wait", "x")
    page.goto(site.url(f"/executions/{execution_id}"))
    page.evaluate("window.wasHere = true")
    expect(page.locator("#state")).to_contain_text("running")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("waiting to go on")).to_be_visible()
    expect(page.locator("#liveness")).to_have_text("live")

    site.let_go_on()

    expect(page.locator("#state")).to_contain_text("completed")
    expect(page.get_by_text("went on", exact=True)).to_be_visible()
    expect(page.locator("#said")).to_have_text("wait is completed")
    assert page.evaluate("window.wasHere")


def test_what_comes_in_is_listed_while_focus_and_ticks_stay(site: Site, page: Page) -> None:
    first = site.ended("echo", 1)
    page.goto(site.url("/executions"))
    box = page.get_by_label(f"Select echo {first}")
    box.check()
    expect(page.locator("#selected")).to_have_text("1 selected")
    page.get_by_role("link", name="echo").focus()

    second = site.ended("echo", 2)

    expect(page.locator(f"#x-{second}")).to_be_visible()
    expect(box).to_be_checked()
    assert page.evaluate("document.activeElement.closest('tr').id") == f"x-{first}"
    expect(page.locator("#selected")).to_have_text("1 selected")


def test_what_is_ticked_stays_though_others_push_it_off_the_page(site: Site, page: Page) -> None:
    ticked, other = site.ended("echo", 1), site.ended("echo", 2)
    page.goto(site.url("/executions"))
    page.get_by_label(f"Select echo {ticked}").check()
    for place in range(PAGE):
        last = site.enqueue("echo", place)

    expect(page.locator(f"#x-{last}")).to_be_visible()
    expect(page.locator(f"#x-{other}")).not_to_be_visible()
    expect(page.get_by_label(f"Select echo {ticked}")).to_be_checked()
    expect(page.locator("#selected")).to_have_text("1 selected")
    page.get_by_role("button", name="Cancel …").click()
    expect(page.get_by_role("link", name=ticked)).to_be_visible()


def test_parts_of_a_value_stay_closed_when_they_were_closed(site: Site, page: Page) -> None:
    execution_id = site.enqueue("wait", {"deep": {"er": 1}})
    page.goto(site.url(f"/executions/{execution_id}"))
    inner = page.locator("details details")
    expect(inner).to_have_attribute("open", "")
    inner.locator("summary").click()

    site.let_go_on()

    expect(page.locator("#state")).to_contain_text("completed")
    expect(inner).not_to_have_attribute("open", "")


def test_a_hidden_tab_asks_for_nothing(site: Site, page: Page) -> None:
    page.goto(site.url("/"))
    expect(page.locator("#liveness")).to_have_text("live")
    assert site.do(lambda: _followers(site)) == 1

    page.evaluate(
        """() => {
          Object.defineProperty(document, "visibilityState", {value: "hidden", configurable: true});
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    for _ in range(100):
        if site.do(lambda: _followers(site)) == 0:
            break
        page.wait_for_timeout(50)  # the server notices a closed connection in its own time
    assert site.do(lambda: _followers(site)) == 0

    page.evaluate(
        """() => {
          delete document.visibilityState;
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_timeout(300)
    assert site.do(lambda: _followers(site)) == 1


async def _followers(site: Site) -> int:
    return site.dashboard.followers


def test_everything_can_be_read_and_done_without_scripts(
    site: Site, new_tab: Callable[..., Tab]
) -> None:
    execution_id = site.enqueue("wait", "x")
    page = new_tab(java_script_enabled=False).page
    page.goto(site.url("/executions"))
    page.get_by_label(f"Select wait {execution_id}").check()
    page.get_by_role("button", name="Cancel …").click()
    page.get_by_role("button", name="Cancel it").click()

    expect(page.get_by_role("heading", name="Cancelled: 1")).to_be_visible()
    assert site.status("wait", execution_id) == "cancelled"
