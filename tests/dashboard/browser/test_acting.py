from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import TOKEN, Site, Tab

pytestmark = pytest.mark.browser


def test_a_person_logs_in_looks_around_and_logs_out(locked_site: Site, page: Page) -> None:
    page.goto(locked_site.url("/failures"))
    expect(page.get_by_label("Token")).to_be_focused()
    page.get_by_label("Token").fill("wrong-token-0123456789")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This token is not valid.")

    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page).to_have_url(locked_site.url("/failures"))
    for name in ("Overview", "Executions", "Failures", "Prune"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.locator('nav a[aria-current="page"]')).to_have_text(name)
    expect(page.get_by_text("operator")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    page.goto(locked_site.url("/"))
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_link_from_another_site_leads_to_the_page_without_another_login(
    locked_site: Site, page: Page
) -> None:
    execution_id = locked_site.ended("echo", 1)
    page.goto(locked_site.url("/"))
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_text("operator")).to_be_visible()
    # By another name it is another site, whose links bring no cookie along.
    page.goto(locked_site.url("/login").replace("127.0.0.1", "localhost"))
    page.evaluate("url => { location.href = url }", locked_site.url(f"/executions/{execution_id}"))

    expect(page.locator("h1")).to_have_text(execution_id)


def test_many_are_selected_and_cancelled_after_a_question(site: Site, page: Page) -> None:
    ids = [site.enqueue("wait", each) for each in range(3)]
    done = site.ended("echo", 1)
    page.goto(site.url("/executions"))
    expect(page.get_by_role("button", name="Cancel …")).not_to_be_visible()
    page.get_by_label("Select all on this page").check()
    expect(page.locator("#selected")).to_have_text("4 selected")
    page.get_by_role("button", name="Cancel …").click()

    expect(page.get_by_role("heading", name="Cancel 4 executions?")).to_be_visible()
    assert {site.status("wait", each) for each in ids} == {"running"}
    page.get_by_role("button", name="Cancel them").click()

    expect(page.get_by_role("heading", name="Cancelled: 3, left as they are: 1")).to_be_visible()
    assert {site.status("wait", each) for each in ids} == {"cancelled"}
    assert site.status("echo", done) == "completed"


def test_a_group_of_failures_is_retried(site: Site, page: Page) -> None:
    ids = [site.ended("fail", f"order {each} is lost") for each in (17, 18)]
    page.goto(site.url("/failures"))
    group = page.get_by_role("article", name="fail")
    expect(group).to_contain_text("order ‹n› is lost")
    site.is_fixed = True
    group.get_by_role("button", name="Retry all 2 …").click()
    page.get_by_role("button", name="Retry", exact=True).click()

    expect(page.get_by_role("heading", name="Retried: 2")).to_be_visible()
    page.goto(site.url(f"/executions/{ids[0]}"))
    expect(page.locator("#state")).to_contain_text("completed")
    page.goto(site.url("/failures"))
    expect(page.get_by_text("Nothing has failed.")).to_be_visible()


def test_one_execution_is_cancelled_and_retried_from_its_page(site: Site, page: Page) -> None:
    execution_id = site.enqueue("wait", "x")
    page.goto(site.url(f"/executions/{execution_id}"))
    page.get_by_role("button", name="Cancel …").click()
    page.get_by_role("button", name="Cancel it").click()
    page.get_by_role("link", name=execution_id).click()
    expect(page.locator("#state")).to_contain_text("cancelled")

    page.get_by_role("button", name="Retry …").click()
    page.get_by_role("button", name="Retry", exact=True).click()
    page.get_by_role("link", name=execution_id).click()
    expect(page.locator("#state")).to_contain_text("running")


def test_a_sleeper_is_woken(site: Site, page: Page) -> None:
    execution_id = site.enqueue("sleep", "order-1")
    page.goto(site.url(f"/executions/{execution_id}"))
    expect(page.locator("#state")).to_contain_text("sleeping")
    page.get_by_role("link", name="Wake up …").click()
    page.get_by_label("Output, as JSON").fill("12.5")
    page.get_by_role("button", name="Wake it up").click()

    expect(page.locator("#state")).to_contain_text("completed")
    expect(page.get_by_role("region", name="Output")).to_contain_text("12.5")


def test_pruning_needs_a_confirmation(site: Site, page: Page) -> None:
    page.goto(site.url("/prune"))
    page.get_by_role("button", name="Delete them").click()
    expect(page.get_by_text("were deleted")).not_to_be_visible()
    page.get_by_label(re.compile("gone for good")).check()
    page.get_by_role("button", name="Delete them").click()
    expect(page.get_by_text("0 executions were deleted.")).to_be_visible()


def test_a_search_is_typed_and_shared_by_its_address(site: Site, page: Page) -> None:
    wanted = site.ended("echo", 1, tags={"customer": "42"})
    other = site.ended("echo", 2, tags={"customer": "43"})
    page.goto(site.url("/executions"))
    page.keyboard.press("/")
    expect(page.get_by_label("Id", exact=True)).to_be_focused()
    page.get_by_label("Tag", exact=True).fill("customer=42")
    page.get_by_label("completed").check()
    page.get_by_role("button", name="Search").click()

    expect(page.locator(f"#x-{wanted}")).to_be_visible()
    expect(page.locator(f"#x-{other}")).not_to_be_visible()
    page.goto(page.url)
    expect(page.locator(f"#x-{wanted}")).to_be_visible()
    page.get_by_role("link", name="echo").click()
    expect(page.locator("h1")).to_have_text(wanted)


def test_nothing_that_tasks_say_runs(site: Site, new_tab: Callable[..., Tab]) -> None:
    """The tab notes every script error, every dialog and every breach of the policy."""
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>'\"</pre><svg onload=alert(3)>"
    failed = site.ended("fail", hostile, tags={"tag": hostile}, key=hostile)
    done = site.ended("echo", {hostile: [hostile, {"x": hostile}]})
    asleep = site.enqueue("sleep", hostile)
    tab = new_tab()
    for path in (
        "/",
        "/executions",
        "/failures",
        f"/executions/{failed}",
        f"/executions/{done}",
        f"/executions/{asleep}",
        f"/executions/{asleep}/wake",
    ):
        tab.page.goto(site.url(path))
        if tab.page.locator("#live").count():
            expect(tab.page.locator("#liveness")).to_have_text("live")
        assert tab.page.locator("main img, main script, main svg[onload]").count() == 0
    # The output went through the stream and was put in place by the script, too.
    tab.page.goto(site.url(f"/executions/{done}"))
    expect(tab.page.get_by_text(hostile).first).to_be_visible()
