from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from durable_execution import DurableExecutor, StorageUnavailableError
from durable_execution.dashboard import create_dashboard
from durable_execution.dashboard.acting import MOST_AT_ONCE
from tests.dashboard.conftest import Shop, ended
from tests.dashboard.visitor import Seen, Visitor

if TYPE_CHECKING:
    from durable_execution._core.status import Status
    from durable_execution.storage.search import Page, Search


def visitor_of(shop: Shop) -> Visitor:
    return Visitor(create_dashboard(shop.executor))


async def act(visitor: Visitor, verb: str, *ids: str, confirmed: bool = True) -> Seen:
    said = [("confirmed", "yes")] if confirmed else []
    fields = [("verb", verb), *[("id", each) for each in ids], *said]
    return await visitor.fill_in("/prune", "/actions", *fields)


async def status_of(shop: Shop, execution_id: str) -> Status:
    page = await shop.executor.search_task_executions()
    return next(each.status for each in page.executions if each.execution_id == execution_id)


async def test_nothing_is_done_before_it_was_confirmed(shop: Shop) -> None:
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    page = await act(visitor_of(shop), "cancel", handle.execution_id, confirmed=False)

    assert "Cancel 1 execution?" in page.words
    assert await status_of(shop, handle.execution_id) == "running"


async def test_what_cannot_be_cancelled_is_told_and_stops_no_other(shop: Shop) -> None:
    done = await ended(shop, shop.greet, "ada")
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    page = await act(
        visitor_of(shop), "cancel", done, "te_nothing", "a b", handle.execution_id, done
    )

    assert "Cancelled: 1, left as they are: 3" in page.words
    assert "greet is completed" in page.words
    assert "There is no execution te_nothing" in page.words
    assert await status_of(shop, handle.execution_id) == "cancelled"
    assert await status_of(shop, done) == "completed"


async def test_what_has_failed_is_retried_and_nothing_else(shop: Shop) -> None:
    failed = await ended(shop, shop.refuse, 17)
    done = await ended(shop, shop.greet, "ada")
    page = await act(visitor_of(shop), "retry", failed, done)

    assert "Retried: 1, left as they are: 1" in page.words
    handle = await shop.executor.get_task_execution_handle(shop.refuse, failed)
    again = await handle.wait_and_get_finished_execution(timeout=30)
    assert again.status == "failed"


async def test_executions_of_unknown_tasks_can_be_cancelled(shop: Shop) -> None:
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    async with DurableExecutor(shop.executor._storage.sibling()) as stranger:
        await act(Visitor(create_dashboard(stranger)), "cancel", handle.execution_id)
    assert await status_of(shop, handle.execution_id) == "cancelled"


async def test_a_button_stands_for_a_verb_and_a_group(shop: Shop) -> None:
    ids = [await ended(shop, shop.refuse, order) for order in (17, 18)]
    page = await visitor_of(shop).fill_in(
        "/prune", "/actions", ("group", f"retry {' '.join(ids)}"), ("verb", "cancel")
    )
    assert "Retry 2 executions?" in page.words
    assert all(f'name="id" value="{each}"' in page.text for each in ids)


@pytest.mark.parametrize(
    ("verb", "ids", "said"),
    [
        ("explode", ["te_1"], "Expected one of cancel, retry"),
        ("", ["te_1"], "Expected one of cancel, retry"),
        ("cancel", [], "No execution was selected"),
        ("cancel", [f"te_{each}" for each in range(MOST_AT_ONCE + 1)], "At most 1000"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    shop: Shop, verb: str, ids: list[str], said: str
) -> None:
    page = await act(visitor_of(shop), verb, *ids)
    assert (page.status, said in page.words) == (400, True)


async def test_an_outage_in_the_middle_is_an_outage(shop: Shop) -> None:
    async def fail(search: Search) -> Page:
        raise StorageUnavailableError("refused")

    visitor = visitor_of(shop)
    await visitor.get("/prune")
    shop.executor._storage.search = fail  # type: ignore[method-assign]
    page = await act(visitor, "cancel", "te_1")
    assert page.status == 503
