from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.processes.arena import Arena
from tests.processes.books import check_accounts, check_trees
from tests.processes.fixtures import ON_SQLITE
from tests.processes.load import check_endings, enqueue_every_kind, sign_contracts

pytestmark = [pytest.mark.chaos, ON_SQLITE]

NUMBERS = range(30)


async def test_eight_executors_share_one_file(arena: Arena) -> None:
    workers = [await arena.launch(capacity=3) for _ in range(8)]
    assert [await worker.line() for worker in workers] == ["started"] * 8
    async with arena.observer() as observer:
        enqueued = await enqueue_every_kind(observer, NUMBERS)
        await asyncio.gather(sign_contracts(observer, NUMBERS), check_endings(enqueued, timeout=60))

    check_trees(arena)
    check_accounts(arena)
    shares = Counter(effect.pid for effect in arena.effects())
    assert set(shares) == {worker.pid for worker in workers}
    assert {row["crash_count"] for row in arena.rows()} == {0}
