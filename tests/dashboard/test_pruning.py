from __future__ import annotations

import pytest

from durable_execution.dashboard import create_dashboard
from tests.dashboard.conftest import Shop, ended
from tests.dashboard.visitor import Visitor


async def test_what_is_young_is_not_deleted(shop: Shop) -> None:
    execution_id = await ended(shop, shop.greet, "ada")
    visitor = Visitor(create_dashboard(shop.executor))
    answer = await visitor.fill_in(
        "/prune", "/prune", ("age", "1"), ("unit", "hours"), ("confirmed", "yes")
    )
    assert "0 executions were deleted" in answer.words
    assert (await visitor.get(f"/executions/{execution_id}")).status == 200


async def test_what_is_old_is_deleted_with_all_that_is_below(shop: Shop) -> None:
    old = await ended(shop, shop.batch, 2)
    sleeping = await shop.executor.enqueue_task(shop.payment, "order-1")
    shop.executor._running_engine().clock.now = lambda: 4_000_000_000_000  # type: ignore[method-assign]
    visitor = Visitor(create_dashboard(shop.executor))
    answer = await visitor.fill_in(
        "/prune", "/prune", ("age", "2"), ("unit", "weeks"), ("confirmed", "yes")
    )
    assert "3 executions were deleted" in answer.words
    assert (await visitor.get(f"/executions/{old}")).status == 404
    assert (await visitor.get(f"/executions/{sleeping.execution_id}")).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"age": "1", "unit": "days"},
        {"age": "0", "unit": "days", "confirmed": "yes"},
        {"age": "-1", "unit": "days", "confirmed": "yes"},
        {"age": "1e3", "unit": "days", "confirmed": "yes"},
        {"age": "٣", "unit": "days", "confirmed": "yes"},
        {"age": "1", "unit": "seconds", "confirmed": "yes"},
        {"age": "99999", "unit": "weeks", "confirmed": "yes"},
    ],
)
async def test_nothing_is_deleted_by_what_is_not_clear(shop: Shop, fields: dict[str, str]) -> None:
    execution_id = await ended(shop, shop.greet, "ada")
    visitor = Visitor(create_dashboard(shop.executor))
    answer = await visitor.fill_in("/prune", "/prune", *fields.items())

    assert answer.status == 400
    assert "were deleted" not in answer.words
    assert (await visitor.get(f"/executions/{execution_id}")).status == 200
