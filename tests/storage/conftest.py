from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from durable_execution.storage import Storage, open_storage
from durable_execution.testing.storage_suite import Harness
from tests.storage.hands import HandClock

BACKENDS = (
    "memory",
    "sqlite file",
    "sqlite in memory",
    "postgresql",
    "system's postgresql",
    "mariadb",
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=BACKENDS)
async def harness(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Harness]:
    urls = {
        "memory": "memory://",
        "sqlite file": f"sqlite:///{tmp_path}/tasks.db",
        "sqlite in memory": "sqlite://",
    }
    servers = {
        "postgresql": "postgres",
        "system's postgresql": "system_postgres",
        "mariadb": "mariadb",
    }
    if request.param in servers:
        urls[request.param] = request.getfixturevalue(servers[request.param]).new_url()
    has_siblings_only = request.param in ("memory", "sqlite in memory")
    opened: list[Storage] = []

    async def open_one() -> Storage:
        is_new = not has_siblings_only or not opened
        storage = open_storage(urls[request.param], clock=clock) if is_new else opened[0].sibling()
        await storage.open()
        opened.append(storage)
        return storage

    yield Harness(await open_one(), advance=clock.advance, open_second=open_one)
    for storage in opened:
        await storage.close()
