from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.storage.hands import HandClock

from durable_execution.storage.memory import InMemoryStorage
from durable_execution.storage.protocol import Storage
from durable_execution.testing.storage_suite import Harness

BACKENDS = ("memory",)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=BACKENDS)
async def harness(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Harness]:
    opened: list[Storage] = []

    async def open_one() -> Storage:
        if request.param == "memory":
            storage: Storage = opened[0] if opened else InMemoryStorage(clock=clock)
        await storage.open()
        opened.append(storage)
        return storage

    yield Harness(await open_one(), advance=clock.advance, open_second=open_one)
    for storage in opened:
        await storage.close()
