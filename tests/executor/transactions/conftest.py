"""An application and an executor on one database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from durable_execution import DurableExecutor, open_storage
from tests.conftest import OPTIONS
from tests.executor.transactions.databases import (
    dialed,
    tasks,
)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "mysql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/t.db"
    if request.param in ("mariadb", "mysql"):
        pytest.importorskip("pymysql", reason="pymysql is not installed")
        # One server, by both of the names that SQLAlchemy knows it by.
        mariadb: str = request.getfixturevalue("mariadb").new_url()
        return mariadb.replace("mariadb:", f"{request.param}:")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    url: str = request.getfixturevalue("postgres").new_url()
    return url


@pytest.fixture
async def executor(url: str) -> AsyncIterator[DurableExecutor]:
    executor = DurableExecutor(open_storage(url), OPTIONS)
    executor.include(tasks)
    async with executor:
        yield executor


@pytest.fixture
def engine(url: str, executor: DurableExecutor) -> Iterator[Engine]:
    """The application's own engine, and a table of its own; made after the executor's tables."""
    engine = create_engine(dialed(url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (number INTEGER)"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE orders"))
    engine.dispose()
