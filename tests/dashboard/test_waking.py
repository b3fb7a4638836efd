from __future__ import annotations

from datetime import UTC, datetime

import pytest

from durable_execution import DurableExecutor
from durable_execution.dashboard import create_dashboard
from tests.dashboard.conftest import Shop, ended
from tests.dashboard.visitor import Visitor


async def test_a_person_says_with_what_output_a_sleeper_completes(shop: Shop) -> None:
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    visitor = Visitor(create_dashboard(shop.executor))
    path = f"/executions/{handle.execution_id}/wake"

    assert f'href="{path}"' in (await visitor.get(path.removesuffix("/wake"))).text
    page = await visitor.get(path)
    assert "order-1" in page.words
    assert "of type float" in page.words
    answer = await visitor.fill_in(path, path, ("ending", "completed"), ("output", " 12.5 "))

    assert answer.status == 303
    assert await handle.result(timeout=1) == 12.5
    assert "It has ended already, as completed" in (await visitor.get(path)).words


async def test_a_person_says_why_a_sleeper_fails(shop: Shop) -> None:
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    path = f"/executions/{handle.execution_id}/wake"
    visitor = Visitor(create_dashboard(shop.executor))
    await visitor.fill_in(path, path, ("ending", "failed"), ("error", "<b>fraud</b>"))

    finished = await handle.wait_and_get_finished_execution(timeout=1)
    assert finished.status == "failed"
    assert finished.error.message == "<b>fraud</b>"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ending": "completed", "output": "12.5.1"}, "The output is not JSON"),
        ({"ending": "completed", "output": '"a lot"'}, "expected"),
        ({"ending": "completed", "output": "[" * 5_000}, "The output is not JSON"),
        ({"ending": "failed", "error": " "}, "Say why it fails"),
        ({}, "Choose how it ends"),
    ],
)
async def test_what_does_not_fit_wakes_nobody_and_can_be_repaired(
    shop: Shop, fields: dict[str, str], said: str
) -> None:
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    path = f"/executions/{handle.execution_id}/wake"
    visitor = Visitor(create_dashboard(shop.executor))
    answer = await visitor.fill_in(path, path, *fields.items())

    assert answer.status == 400
    assert said.lower() in answer.words.lower()
    assert (await handle.get_execution()).status == "running"


async def test_dates_of_an_output_are_typed_as_text(shop: Shop) -> None:
    until = shop.executor.sleeping_task("until", timeout=60, output=datetime)
    handle = await shop.executor.enqueue_task(until, "one")
    path = f"/executions/{handle.execution_id}/wake"
    await Visitor(create_dashboard(shop.executor)).fill_in(
        path, path, ("ending", "completed"), ("output", '"2026-01-31T12:00:00Z"')
    )
    assert await handle.result(timeout=1) == datetime(2026, 1, 31, 12, tzinfo=UTC)


async def test_only_sleepers_of_tasks_that_are_known_can_be_woken(shop: Shop) -> None:
    visitor = Visitor(create_dashboard(shop.executor))
    greeted = await ended(shop, shop.greet, "ada")
    page = await visitor.get(f"/executions/{greeted}/wake")
    assert (page.status, "does not sleep" in page.words) == (400, True)

    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    async with DurableExecutor(shop.executor._storage.sibling()) as stranger:
        page = await Visitor(create_dashboard(stranger)).get(
            f"/executions/{handle.execution_id}/wake"
        )
    assert (page.status, "not registered" in page.words) == (400, True)
