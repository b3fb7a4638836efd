from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from tests.processes.arena import LEASE, SHORT_LEASE, Arena
from tests.processes.database import SqliteFile
from tests.processes.fixtures import ON_SQLITE
from tests.processes.tasks import add_one

pytestmark = [pytest.mark.processes, SHORT_LEASE, ON_SQLITE]


async def test_a_beat_that_waits_for_the_lock_does_not_turn_the_clock_back(arena: Arena) -> None:
    assert isinstance(arena.database, SqliteFile)
    async with arena.observer() as observer:
        await asyncio.sleep(0.6 * LEASE)  # until its heart has a connection of its own
        with closing(sqlite3.connect(arena.database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(0.8 * LEASE)  # a beat every quarter of the lease waits for it
            other.execute("COMMIT")
        behind = []
        for number in range(30):
            asked_at = time.time()
            handle = await observer.enqueue_task(add_one, number)
            (row,) = arena.rows("execution_id = ?", handle.execution_id)
            behind.append(asked_at - row["created_at"] / 1000)
            await asyncio.sleep(0.01)  # the beat may be answered at any time from now

    assert max(behind) < 0.2 * LEASE
