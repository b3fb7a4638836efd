from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.remote.rest.lab import Desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with desk.executor:
        yield desk
        desk.gate.set()
