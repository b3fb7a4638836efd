from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.processes.arena import Arena
from tests.processes.effects import VARIABLE


@pytest.fixture
async def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Arena]:
    monkeypatch.setenv(VARIABLE, "")
    arena = Arena(tmp_path)
    yield arena
    await arena.close()
    assert arena.complaints() == []
