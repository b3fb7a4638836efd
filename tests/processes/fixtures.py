"""The arena, on a new database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.processes.arena import Arena
from tests.processes.database import Database, PostgresSchema, SqliteFile
from tests.processes.effects import VARIABLE

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    found: Database
    if request.param == "sqlite":
        found = SqliteFile(tmp_path / "tasks.db")
    else:
        found = PostgresSchema(request.getfixturevalue("postgres").new_url())
    yield found
    found.close()


@pytest.fixture
async def arena(
    request: pytest.FixtureRequest,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Arena]:
    monkeypatch.setenv(VARIABLE, "")
    marker = request.node.get_closest_marker("lease")
    arena = Arena(tmp_path, database, *(marker.args if marker else ()))
    yield arena
    await arena.close()
    assert arena.complaints() == []
