from __future__ import annotations

import asyncio

import asyncpg
import pytest

from durable_execution.storage import Storage, open_storage
from durable_execution.storage.sql import postgres_listener
from durable_execution.testing.records import RecordBuilder
from tests.servers.fixtures import Postgres
from tests.servers.postgres import PostgresServer
from tests.storage.listening import Ear, ear, other, storage

__all__ = ["ear", "other", "storage"]


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_url()


async def test_many_changes_are_told_together(ear: Ear, other: Storage) -> None:
    builder = RecordBuilder()
    before = ear.calls
    for _ in range(50):
        await other.insert([builder.root(1)])
    await ear.hears()
    await asyncio.sleep(10 * postgres_listener.LONGEST_BUNDLE)  # let the last bundle come
    assert 1 <= ear.calls - before < 50


async def test_change_is_heard_at_once(ear: Ear, other: Storage) -> None:
    await asyncio.sleep(2 * postgres_listener.LONGEST_BUNDLE)  # let the bundle of connecting pass
    waits = []
    loop = asyncio.get_running_loop()
    for number in range(20):
        begun = loop.time()
        await other.insert([RecordBuilder(f"{number}_").root(1)])
        await ear.hears()
        waits.append(loop.time() - begun)
        await asyncio.sleep(2 * postgres_listener.LONGEST_BUNDLE)  # let the bundle pass
    assert min(waits) < 0.05


async def test_cut_listener_connects_again_and_calls(
    ear: Ear, storage: Storage, other: Storage, postgres: Postgres
) -> None:
    connection = await asyncpg.connect(postgres.url)
    cut = await connection.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    )
    assert cut >= 1
    await connection.close()
    await ear.hears()  # once, because it is cut: who counts on being told has to look
    async with asyncio.timeout(30):
        while storage.is_deaf:
            await ear.hears()  # and once more when it has connected: something may be missed
    await other.insert([RecordBuilder().root(1)])
    await ear.hears()


async def test_listener_outlives_a_restart(postgres_server: PostgresServer) -> None:
    storage = open_storage(postgres_server.url)
    await storage.open()
    ear = Ear(storage)
    await ear.hears()
    await asyncio.to_thread(postgres_server.stop)
    await asyncio.to_thread(postgres_server.start)
    await ear.hears()
    other = open_storage(postgres_server.url)
    await other.open()
    await other.insert([RecordBuilder().root(1)])
    await ear.hears()
    await other.close()
    await storage.close()


async def test_listening_ends_with_the_storage(url: str, postgres: Postgres) -> None:
    storage = open_storage(url)
    await storage.open()
    ear = Ear(storage)
    await ear.hears()
    await storage.close()
    ear.stop()
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert "durable-postgres-listener" not in names


async def test_silent_connection_is_asked_whether_it_hears(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_listener, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(postgres_listener, "CHECK_TIMEOUT", 0.05)
    ear = Ear(storage)
    await ear.hears()
    (listener,) = storage._driver._listeners
    connection = listener._connection
    # A cable that was cut: what is sent is lost, and nothing comes.
    connection._transport.pause_reading()
    while listener._connection is connection:
        await ear.hears()
    ear.stop()
