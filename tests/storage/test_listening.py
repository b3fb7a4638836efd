"""What is heard of others, whatever the database that tells it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from durable_execution._core import transitions as law
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage import Storage, open_storage
from durable_execution.storage.protocol import Beat, Claim
from durable_execution.testing.records import RecordBuilder
from tests.storage.listening import Ear, ear, other, storage

__all__ = ["ear", "other", "storage"]

CLAIM = Claim(executor_id="x", task_ids=frozenset({"task"}), limit=10)
FAILED = law.StoredError(error_type="generic", message="failed by a test", is_retryable=True)


@pytest.fixture(params=["postgres", "mariadb"])
def new_url(request: pytest.FixtureRequest) -> Callable[[], str]:
    new_url: Callable[[], str] = request.getfixturevalue(request.param).new_url
    return new_url


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


async def running(storage: Storage) -> ExecutionRecord:
    await storage.insert([RecordBuilder().root(1)])
    await storage.heartbeat(Beat(executor_id="x", lease_ms=60_000))
    (row,) = (await storage.claim(CLAIM)).records
    return row


async def test_inserts_finishes_and_returns_of_others_are_heard(ear: Ear, other: Storage) -> None:
    row = await running(other)
    await ear.hears()
    await other.apply([law.retry(row, error=FAILED, start_at=1, now=2)])
    await ear.hears()
    (row,) = (await other.claim(CLAIM)).records
    await other.apply([law.complete(row, output=b"", now=3)])
    await ear.hears()
    await other.insert(RecordBuilder("more").roots(1, 2))
    await ear.hears()


async def test_claims_and_beats_of_others_are_no_news(ear: Ear, other: Storage) -> None:
    await other.insert([RecordBuilder().root(1)])
    await ear.hears()
    await ear.hears_nothing()
    await other.heartbeat(Beat(executor_id="x", lease_ms=60_000))
    assert len((await other.claim(CLAIM)).records) == 1
    await ear.hears_nothing()


async def test_own_changes_are_no_news(ear: Ear, storage: Storage) -> None:
    row = await running(storage)
    await storage.apply([law.complete(row, output=b"", now=3)])
    await ear.hears_nothing()


async def test_other_databases_are_not_heard(ear: Ear, new_url: Callable[[], str]) -> None:
    stranger = open_storage(new_url())
    await stranger.open()
    await stranger.insert([RecordBuilder().root(1)])
    await ear.hears_nothing()
    await stranger.close()
