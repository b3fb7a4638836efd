from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from durable_execution.dashboard import create_dashboard
from durable_execution.server import FULL_ACCESS, BearerToken, BearerTokens
from tests.dashboard.conftest import Shop, ended
from tests.dashboard.visitor import Visitor

if TYPE_CHECKING:
    import pytest

TOKEN = "the-token-of-an-operator"
AUTH = BearerTokens({"operator": BearerToken(TOKEN, access=FULL_ACCESS)})


async def test_the_log_tells_who_did_what_by_hand(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "durable_execution.dashboard")
    done = await ended(shop, shop.greet, "ada")
    failed = await ended(shop, shop.refuse, 17)
    cancelled, woken = [
        (await shop.executor.enqueue_task(shop.payment, each)).execution_id for each in "ab"
    ]
    visitor = Visitor(create_dashboard(shop.executor, auth=AUTH))
    await visitor.fill_in("/login", "/login", ("token", TOKEN))
    for verb, execution_id in (("cancel", cancelled), ("cancel", done), ("retry", failed)):
        fields = [("verb", verb), ("id", execution_id), ("confirmed", "yes")]
        await visitor.fill_in("/prune", "/actions", *fields)
    path = f"/executions/{woken}/wake"
    await visitor.fill_in(path, path, ("ending", "completed"), ("output", "1.5"))
    await visitor.fill_in("/prune", "/prune", ("age", "1"), ("unit", "days"), ("confirmed", "yes"))

    deeds = [record.__dict__ for record in caplog.records if "deed" in record.__dict__]
    assert [(each["deed"], each.get("execution_id")) for each in deeds] == [
        ("cancel", cancelled),
        ("retry", failed),
        ("wake", woken),
        ("prune", None),
    ]
    assert {each["caller"] for each in deeds} == {"operator"}
    assert TOKEN not in caplog.text
