from __future__ import annotations

import asyncio

import pytest

from durable_execution.storage import SqlStorage, Storage, open_storage
from durable_execution.storage.sql import mysql_bells
from durable_execution.storage.sql.mysql_bells import BELLS, bells_of, is_news, take_bell
from durable_execution.storage.sql.mysql_connection import MySqlConnection, connect
from durable_execution.storage.sql.mysql_driver import MySqlDriver
from durable_execution.storage.sql.mysql_url import read_url
from durable_execution.testing.records import RecordBuilder
from tests.servers.mariadb import MariaDbServer
from tests.servers.mariadb_fixtures import MariaDb
from tests.storage.listening import PATIENCE, Ear, ear, other, storage
from tests.storage.on_mysql import aside, url

__all__ = ["aside", "ear", "other", "storage", "url"]


def bells(url: str) -> tuple[str, ...]:
    return bells_of(url.rpartition("/")[2], "durable_task_executions")


async def test_nothing_is_missed_however_closely_changes_follow_one_another(
    ear: Ear, other: Storage, storage: Storage
) -> None:
    """Whoever looks after each call sees everything, though many changes make few calls."""
    builder = RecordBuilder()
    rows = builder.roots(1, 200)

    async def insert() -> None:
        for row in rows:
            await other.insert([row])

    inserting = asyncio.create_task(insert())
    seen = 0
    while seen < len(rows):
        await ear.hears()
        seen = len(rows) - (await storage.get([row.execution_id for row in rows])).count(None)
    await inserting
    assert ear.calls <= len(rows) + 1


async def test_all_who_listen_are_rung(url: str, other: Storage) -> None:
    opened = [open_storage(url) for _ in range(3)]
    ears = []
    for each in opened:
        await each.open()
        ears.append(Ear(each))
        await ears[-1].hears()
    await other.insert([RecordBuilder().root(1)])
    for listening in ears:
        await listening.hears()
    for each in opened:
        await each.close()


async def test_change_right_before_the_close_is_heard(ear: Ear, url: str) -> None:
    passing = open_storage(url)
    await passing.open()
    await passing.insert([RecordBuilder().root(1)])
    await passing.close()
    await ear.hears()


async def test_who_closes_does_not_wait_for_the_end_of_a_rest(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_bells, "NOBODY_REST", 3600.0)
    monkeypatch.setattr(mysql_bells, "CLOSE_TIMEOUT", 3600.0)
    alone = open_storage(url)
    await alone.open()
    ringer = _driver(alone)._ringer
    assert ringer is not None
    await alone.insert([RecordBuilder("a").root(1)])
    async with asyncio.timeout(PATIENCE):
        while ringer._is_due:
            await asyncio.sleep(0.01)  # until it rests
        await alone.insert([RecordBuilder("b").root(1)])
        await alone.close()
    assert not ringer._is_due


async def test_listener_whose_connection_is_cut_takes_a_bell_again(
    ear: Ear, other: Storage, storage: Storage, aside: MySqlConnection
) -> None:
    (listener,) = _driver(storage)._listeners
    await aside.run([f"KILL {listener.pid}"])
    await ear.hears()  # because it has just taken its bell again
    await other.insert([RecordBuilder().root(1)])
    await ear.hears()


async def test_server_that_comes_back_is_heard_again(mariadb_server: MariaDbServer) -> None:
    mariadb_server.run("CREATE DATABASE test")
    url = f"{mariadb_server.url}/test"
    storage, other = open_storage(url), open_storage(url)
    await storage.open()
    await other.open()
    ear = Ear(storage)
    await ear.hears()
    await other.insert([RecordBuilder("a").root(1)])
    await ear.hears()
    await asyncio.to_thread(mariadb_server.stop)
    await asyncio.to_thread(mariadb_server.start)
    await ear.hears()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await other.insert([RecordBuilder("b").root(1)])
                break
            except Exception:  # connections of before are found out one by one
                await asyncio.sleep(0.01)
    await ear.hears()
    await storage.close()
    await other.close()


async def test_who_finds_no_bell_free_is_not_rung_and_harms_nobody(
    url: str, storage: Storage, other: Storage, aside: MySqlConnection
) -> None:
    taken = [await take_bell(aside, [name]) for name in bells(url)]
    assert len(set(taken)) == BELLS
    ear = Ear(storage)
    await other.insert([RecordBuilder().root(1)])  # who holds them all does not sleep
    await ear.hears_nothing()
    assert (await aside.run(["SELECT 1"]))[0].rows == [(1,)]


async def test_connection_whose_number_is_not_the_servers_takes_no_bell(
    url: str, aside: MySqlConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "get_server_pid", lambda: 1 << 30)
    assert await take_bell(aside, bells(url)) is None


async def test_listener_of_another_user_is_left_alone(
    url: str, ear: Ear, mariadb: MariaDb, aside: MySqlConnection
) -> None:
    database = url.rpartition("/")[2]
    await aside.run([f"GRANT ALL ON {database}.* TO 'ringer_{database}'@'%'"])
    other = open_storage(url.replace("root@", f"ringer_{database}@"))
    await other.open()
    await other.insert([RecordBuilder().root(1)])
    await ear.hears_nothing()
    await other.close()


async def test_nap_tells_whether_somebody_ended_it(url: str, aside: MySqlConnection) -> None:
    sleeper = await connect(read_url(url)[0])
    assert not await sleeper.doze(0.01, lambda: None)
    kill = [f"KILL QUERY {sleeper.get_server_pid()}"]
    for delay in range(100):
        ended: list[asyncio.Task[object]] = []

        def end(pause: float, ended: list[asyncio.Task[object]] = ended) -> None:
            async def kill_soon() -> None:
                await asyncio.sleep(pause)
                await aside.run(kill)

            ended.append(asyncio.create_task(kill_soon()))

        # At once, and ever later: it is never missed, wherever the server is just then.
        assert await sleeper.doze(PATIENCE, lambda pause=delay * 1e-5, end=end: end(pause))
        await ended[0]
    assert (await sleeper.run(["SELECT 1"]))[0].rows == [(1,)]
    sleeper.terminate()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INSERT INTO tasks (start_at) VALUES (1)", True),
        ("INSERT INTO tasks_progress (fence) VALUES (1)", False),
        ("UPDATE tasks SET status='ready', start_at=1 WHERE fence = 1", True),
        ("UPDATE tasks, (SELECT 1 WHERE x) AS tree SET finished_at=1 WHERE fence = 1", True),
        ("UPDATE tasks SET status='running', started_at=1 WHERE finished_at = 1", False),
        ("SELECT start_at FROM tasks", False),
    ],
)  # fmt: skip
def test_statements_that_others_want_to_hear_of(text: str, expected: bool) -> None:
    assert is_news(text, "tasks") == expected


def _driver(storage: Storage) -> MySqlDriver:
    assert isinstance(storage, SqlStorage)
    assert isinstance(storage._driver, MySqlDriver)
    return storage._driver
