from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from durable_execution.orpc import ORPCClient
from tests.remote.lab import Lab, started_lab


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with started_lab() as lab:
        yield lab


@pytest.fixture
def client(lab: Lab) -> ORPCClient:
    return lab.client()
