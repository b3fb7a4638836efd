"""Requests that no page of ours makes are refused, and never a failure of ours."""

from __future__ import annotations

from random import Random
from urllib.parse import quote, quote_from_bytes

import pytest

from durable_execution.dashboard import create_dashboard
from tests.dashboard.conftest import Shop, ended
from tests.dashboard.visitor import Visitor

FIELDS = ("id", "task", "tag", "status", "from", "before", "roots", "cursor", "view", "x")
PIECES = (
    "", " ", "=", "&", "%", "%00", "%ff", "%ED%A0%80", "te_", "~", "a=b", "ready", "failed", "+",
    "2026-01-31T12:00", "9999-12-31T23:59:59.999999+00:00", "0001-01-01", "b", "bnRlXzE", "';--",
    "🦉", "<b>", "..", "/", "\\", "x" * 300,
)  # fmt: skip
AS_IT_IS = "%&=+;'\\/<>~:.-"


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_addresses_are_answered(shop: Shop, seed: int) -> None:
    execution_id = await ended(shop, shop.refuse, 1, tags={"a": "b"})
    visitor, random = Visitor(create_dashboard(shop.executor)), Random(seed)
    for _ in range(150):
        paths = ("/executions", "/executions/", f"/executions/{execution_id}", "/failures", "/")
        path = random.choice(paths) + random.choice(("", "", *PIECES)).replace("/..", "")
        query = "&".join(
            f"{random.choice(FIELDS)}={random.choice(PIECES)}{random.choice(PIECES)}"
            for _ in range(random.randrange(4))
        )
        answer = await visitor.get(f"{path}?{quote(query, safe=AS_IT_IS)}")
        assert answer.status in (200, 400, 404), (path, query)


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_forms_are_answered_and_change_nothing(shop: Shop, seed: int) -> None:
    execution_id = await ended(shop, shop.refuse, 1)
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    visitor, random = Visitor(create_dashboard(shop.executor)), Random(seed)
    token = (await visitor.get("/prune")).form_token
    names = ("form_token", "verb", "id", "group", "confirmed", "age", "unit", "ending", "output")
    paths = ("/actions", "/prune", f"/executions/{handle.execution_id}/wake", "/login", "/logout")
    for _ in range(100):
        damaged = random.randbytes(random.randrange(8))
        values = (*PIECES, "yes", "cancel", quote_from_bytes(damaged), execution_id)
        fields = [(random.choice(names), random.choice(values)) for _ in range(4)]
        given = [("form_token", token)] if random.random() < 0.8 else []
        answer = await visitor.post(random.choice(paths), [*given, *fields])
        assert answer.status in (200, 303, 400, 403, 429), fields
        if answer.header("set-cookie"):  # a logout: with it the forms of the session before
            token = (await visitor.get("/prune")).form_token
    assert (await handle.get_execution()).status == "running"
