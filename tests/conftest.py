"""Storages and executors that any test may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from durable_execution import DurableExecutor, ExecutorOptions, Storage, open_storage
from tests.servers.fixtures import postgres, postgres_server, system_postgres
from tests.servers.mariadb_fixtures import mariadb, mariadb_server

__all__ = ["mariadb", "mariadb_server", "postgres", "postgres_server", "system_postgres"]

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

OPTIONS = ExecutorOptions(lease=30, poll_interval=60, shutdown_timeout=2)
"""No polling: what nobody is told of is never found, and its test hangs. A lease that outlasts a
machine that stands still for seconds: tests of lost leases bring a short one of their own."""

CLAIMED = {"claimed": "yes"}
"""Tags of what has to be claimed: what has tags never starts with its insert."""


@pytest.fixture(params=["memory", "sqlite", "postgresql", "mariadb"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    servers = {"postgresql": "postgres", "mariadb": "mariadb"}
    if request.param in servers:
        return open_storage(request.getfixturevalue(servers[request.param]).new_url())
    return local_storage(request.param, tmp_path)


def local_storage(kind: str, folder: Path) -> Storage:
    """Return a storage without a server: for tests of what happens before anything is stored."""
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{folder}/t.db?synchronous=NORMAL"}
    return open_storage(urls[kind])


@pytest.fixture
def lease(request: pytest.FixtureRequest) -> float:
    """Seconds; a test of lost leases asks for a short one by `parametrize(…, indirect=True)`."""
    return getattr(request, "param", OPTIONS.lease)


@pytest.fixture
async def executor(storage: Storage, lease: float) -> AsyncIterator[DurableExecutor]:
    async with DurableExecutor(storage, replace(OPTIONS, lease=lease)) as executor:
        yield executor
