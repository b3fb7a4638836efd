from __future__ import annotations

import asyncio
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from durable_execution import (
    DurableExecutor,
    ParentTaskOutput,
    RetryOptions,
    StorageUnavailableError,
    TaskContext,
    child_task,
)
from durable_execution._core.past import Attempt, Past
from durable_execution.dashboard import create_dashboard, listing, reach
from durable_execution.dashboard.looking import VIEWS
from durable_execution.storage.memory import InMemoryStorage
from tests.dashboard.conftest import Shop, ended
from tests.dashboard.visitor import Visitor

if TYPE_CHECKING:
    from durable_execution.storage.search import Page, Search

PAGES = ("/", "/executions", "/failures")


def visitor_of(shop: Shop, **options: Any) -> Visitor:
    return Visitor(create_dashboard(shop.executor, **options))


@pytest.mark.parametrize("path", PAGES)
async def test_pages_of_an_empty_storage_say_so(shop: Shop, path: str) -> None:
    page = await visitor_of(shop).get(path)
    assert page.status == 200


async def test_the_list_shows_what_is_looked_for(shop: Shop) -> None:
    greeted = await ended(shop, shop.greet, "ada", tags={"customer": "42"})
    refused = await ended(shop, shop.refuse, 17)
    visitor = visitor_of(shop)

    page = await visitor.get("/executions")
    assert re.findall(r'<tr id="x-(\w+)"', page.text) == sorted([greeted, refused], reverse=True)
    assert "ValueError: order 17 is refused" in page.words

    for query in ("task=greet", "tag=customer=42", "status=completed", f"id={greeted}"):
        page = await visitor.get(f"/executions?{query}")
        assert greeted in page.text
        assert refused not in page.text
    assert "No execution is like that" in (await visitor.get("/executions?task=nothing")).words


async def test_a_filter_that_is_wrong_is_named_and_kept_for_repair(shop: Shop) -> None:
    page = await visitor_of(shop).get("/executions?tag=customer&task=greet")
    assert page.status == 200
    assert "tag: expected a name and a value" in page.words
    assert 'value="customer"' in page.text
    assert 'value="greet"' in page.text

    page = await visitor_of(shop).get("/executions?cursor=nonsense")
    assert "cursor" in page.words


async def test_pages_of_the_list_follow_one_another(shop: Shop) -> None:
    handles = [await shop.executor.enqueue_task(shop.greet, place) for place in range(120)]
    visitor, seen, query = visitor_of(shop), [], ""
    for _ in range(3):
        page = await visitor.get(f"/executions?{query}")
        seen += re.findall(r'<tr id="x-(\w+)"', page.text)
        older = re.search(r'rel="next" href="/executions\?([^"]+)"', page.text)
        query = older[1] if older else ""

    assert sorted(seen) == sorted(handle.execution_id for handle in handles)
    assert len(set(seen)) == 120
    assert query == ""


async def test_an_execution_shows_typed_values(shop: Shop) -> None:
    execution_id = await ended(shop, shop.greet, {"name": "ada", "born": None})
    words = (await visitor_of(shop).get(f"/executions/{execution_id}")).words

    assert "2026-01-31T12:00:00.000Z date" in words
    assert f"{2**70} bigint" in words
    assert "set 1 one" in words
    assert "born null" in words


async def test_an_execution_shows_the_tree_that_it_is_part_of(shop: Shop) -> None:
    root = await ended(shop, shop.batch, 3)
    page = await visitor_of(shop).get(f"/executions/{root}")
    children = [each for each in re.findall(r'id="b-(\w+)"', page.text) if each != root]
    assert len(children) == 3

    below = await visitor_of(shop).get(f"/executions/{children[1]}")
    assert set(re.findall(r'id="b-(\w+)"', below.text)) == {root, *children}
    assert "spawned by batch" in below.words


async def test_a_failure_shows_its_error_and_why_it_may_be_retried(shop: Shop) -> None:
    execution_id = await ended(shop, shop.refuse, 17)
    page = await visitor_of(shop).get(f"/executions/{execution_id}")
    assert "ValueError: order 17 is refused" in page.words
    assert f'value="retry {execution_id}"' in page.text
    assert 'value="cancel' not in page.text


async def test_an_execution_that_is_not_there_is_not_found(shop: Shop) -> None:
    visitor = visitor_of(shop)
    page = await visitor.get("/executions/te_nothing")
    assert (page.status, "There is no execution te_nothing" in page.words) == (404, True)
    assert (await visitor.get("/executions/a%20b")).status == 400
    assert (await visitor.get("/nowhere")).status == 404


async def test_failures_are_grouped_by_what_they_say(shop: Shop) -> None:
    ids = [await ended(shop, shop.refuse, order) for order in (17, 18, 19)]
    await ended(shop, shop.greet, "ada")
    page = await visitor_of(shop).get("/failures")

    assert page.text.count("<article") == 1
    assert "ValueError: order ‹n› is refused" in page.words
    assert f'value="retry {" ".join(sorted(ids, reverse=True))}"' in page.text


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}"


async def test_nothing_that_tasks_say_becomes_markup(shop: Shop) -> None:
    @shop.executor.task
    async def rude(ctx: object, what: Any) -> Any:
        if what == HOSTILE:
            raise RuntimeError(HOSTILE)
        return {HOSTILE: [HOSTILE]}

    failed = await ended(shop, rude, HOSTILE, tags={"tag": HOSTILE}, key=HOSTILE)
    done = await ended(shop, rude, {HOSTILE: HOSTILE})
    sleeping = await shop.executor.enqueue_task(shop.payment, HOSTILE)
    visitor = visitor_of(shop)
    paths = [*PAGES, f"/executions/{failed}", f"/executions/{done}"]
    paths += [f"/executions/{sleeping.execution_id}", f"/executions/{sleeping.execution_id}/wake"]
    paths += [f"/executions?tag=x={HOSTILE}", f"/executions?id={HOSTILE}", f"/{HOSTILE}"]
    for path in paths:
        text = (await visitor.get(path.replace(" ", "+"))).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert not re.search(r'"[^"<>]*\son\w+=[^"]*>', text)


async def test_an_outage_is_told_without_its_details(shop: Shop) -> None:
    storage = shop.executor._storage
    assert isinstance(storage, InMemoryStorage)

    async def fail(search: Search) -> Page:
        raise StorageUnavailableError("10.0.0.7 refused")

    storage.search = fail  # type: ignore[method-assign]
    page = await visitor_of(shop).get("/executions")
    assert page.status == 503
    assert "10.0.0.7" not in page.text
    assert re.search(r"look for [0-9a-f]{16}\.", page.words)


async def test_an_executor_that_does_not_run_shows_nothing_but_that() -> None:
    visitor = Visitor(create_dashboard(DurableExecutor(InMemoryStorage())))
    page = await visitor.get("/executions")
    assert (page.status, "The executor has not started yet" in page.words) == (503, True)


async def test_an_execution_names_its_trace(shop: Shop) -> None:
    execution_id = await ended(shop, shop.greet, "ada")
    (row,) = await shop.executor._storage.get([execution_id])
    assert row is not None
    trace = "0af7651916cd43dd8448eb211c80319c"
    traced = msgspec.structs.replace(
        row, execution_id="te_traced", traceparent=f"00-{trace}-b7ad6b7169203331-01"
    )
    await shop.executor._storage.insert([traced])
    assert trace in (await visitor_of(shop).get("/executions/te_traced")).words


async def test_a_bug_is_told_by_an_id_that_the_log_has(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(search: Search) -> Page:
        raise ZeroDivisionError("secret")

    shop.executor._storage.search = fail  # type: ignore[method-assign]
    page = await visitor_of(shop).get("/executions")
    assert page.status == 500
    assert "secret" not in page.text
    assert "secret" in caplog.text
    (record,) = [each for each in caplog.records if hasattr(each, "error_id")]
    assert record.error_id in page.words


async def test_no_view_is_followed_that_there_is_not(shop: Shop) -> None:
    assert (await visitor_of(shop).get("/live?view=nothing")).status == 404
    assert (await visitor_of(shop).get("/live")).status == 404


async def test_every_page_says_where_to_follow_it(shop: Shop) -> None:
    execution_id = await ended(shop, shop.greet, "ada")
    for path, view in zip(
        [*PAGES, f"/executions/{execution_id}"],
        ["overview", "executions", "failures", "execution"],
        strict=True,
    ):
        page = await visitor_of(shop).get(path)
        followed = re.search(r'data-live="/live\?view=(\w+)', page.text)
        assert followed is not None
        assert followed[1] == view
        assert view in VIEWS


async def test_a_shutdown_lets_go_of_those_who_follow(shop: Shop) -> None:
    messages: list[dict[str, Any]] = []
    has_begun = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)
        if b"event: view" in message.get("body", b""):
            has_begun.set()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/live",
        "query_string": b"view=overview",
        "headers": [(b"host", b"localhost")],
    }
    dashboard = create_dashboard(shop.executor)
    following = asyncio.ensure_future(dashboard(scope, receive, send))
    await asyncio.wait_for(has_begun.wait(), 5)
    shop.executor.announce_shutdown()
    await asyncio.wait_for(following, 5)

    assert messages[0]["status"] == 200
    assert (b"content-type", b"text/event-stream; charset=utf-8") in messages[0]["headers"]
    assert messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_what_no_index_leads_to_is_looked_for_among_the_newest(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    await ended(shop, shop.greet, "ada")
    visitor = visitor_of(shop)
    monkeypatch.setattr(reach, "_NEWEST", 1)
    # A reach that begins an hour from now: nothing is within it.
    monkeypatch.setattr(listing, "WALKED", -3_600_000)

    page = await visitor.get("/executions?status=running&status=waiting_for_children")
    assert "Only those created since" in page.words
    further = re.search(r'id="since".*?href="/executions\?([^"]+)"', page.text, re.DOTALL)
    assert further is not None
    page = await visitor.get(f"/executions?{unescape(further[1])}")
    assert handle.execution_id in page.text
    assert "Only those created since" not in page.words
    for query in ("", "status=ready", "status=running&status=completed", "status=failed"):
        assert "Only those created since" not in (await visitor.get(f"/executions?{query}")).words


async def test_a_failed_child_is_retried_with_its_root_if_that_has_failed_too(shop: Shop) -> None:
    executor = shop.executor
    steps = executor.sequential_tasks("steps", (shop.refuse,))

    @executor.parent_task()
    async def tolerant(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(shop.refuse, 1)])

    for task, value, can_be_retried in ((steps, 1, True), (tolerant, None, False)):
        root_id = await ended(shop, task, value)
        page = await executor.search_task_executions(parent_execution_id=root_id)
        (child,) = page.executions
        assert child.status == "failed"
        text = (await visitor_of(shop).get(f"/executions/{child.execution_id}")).text
        assert (f'value="retry {root_id}"' in text) == can_be_retried
        assert ("Retry the tree" in text) == can_be_retried


async def test_an_execution_shows_how_often_it_was_tried_and_whose_crash_it_survived(
    shop: Shop,
) -> None:
    execution_id = await ended(shop, shop.greet, "ada")
    (row,) = await shop.executor._storage.get([execution_id])
    assert row is not None
    tried = msgspec.structs.replace(row, execution_id="te_tried", attempt=2, crash_count=1)
    await shop.executor._storage.insert([tried])
    for path in ("/executions", "/executions/te_tried"):
        words = (await visitor_of(shop).get(path)).words
        assert "attempt 3 1 crash" in words


async def test_every_attempt_is_listed_and_drawn(shop: Shop) -> None:
    @shop.executor.task(retry=RetryOptions(max_retries=1))
    async def stubborn(ctx: TaskContext) -> str:
        if ctx.attempt == 0:
            raise LookupError("<nothing> there")
        return "found"

    execution_id = await ended(shop, stubborn, None)
    page = await visitor_of(shop).get(f"/executions/{execution_id}")
    assert "Attempts 2" in page.words
    assert re.search(r"1 failed LookupError: <nothing> there Traceback .* 2 completed", page.words)
    assert re.search(
        r'aria-label="[^"]*attempt 1 failed on de_\w+ [^"]*attempt 2 completed', page.text
    )
    plain = await visitor_of(shop).get(f"/executions/{await ended(shop, shop.greet, 'ada')}")
    assert 'id="attempts"' not in plain.text


async def test_attempts_that_are_not_kept_are_counted(shop: Shop) -> None:
    execution_id = await ended(shop, shop.greet, "ada")
    storage = shop.executor._storage
    assert isinstance(storage, InMemoryStorage)
    (row,) = await storage.get([execution_id])
    assert row is not None
    created_at = row.created_at - 5
    storage._shelf.put(msgspec.structs.replace(row, fence=26, created_at=created_at))
    crashed = Attempt(
        attempt=0, outcome="crashed", started_at=row.created_at, ended_at=row.created_at
    )
    storage._past[execution_id] = Past((crashed,) * 20, 25)
    page = await visitor_of(shop).get(f"/executions/{execution_id}")
    assert "Attempts 26, of which the first 5 are not kept" in page.words
    assert page.text.count('class="crash"') == 20
    assert "earlier attempts" in page.text
