"""What a storage on MySQL or MariaDB finds and makes when it is opened."""

from __future__ import annotations

import asyncio

import pytest

from durable_execution.errors import (
    DuplicateSleepingIdError,
    InvalidOptionError,
    StorageError,
    StorageUnavailableError,
)
from durable_execution.storage import open_storage
from durable_execution.storage.protocol import Beat
from durable_execution.storage.sql.mysql_connection import MySqlConnection
from durable_execution.storage.table_names import TaskExecutionTables
from durable_execution.testing.storage_suite import Harness
from tests.servers.mariadb_fixtures import MariaDb
from tests.storage.on_mysql import aside, url
from tests.storage.on_server import harness, statements

__all__ = ["aside", "harness", "statements", "url"]

TABLE = "durable_task_executions"


async def test_creation_that_was_cut_short_is_taken_up_again(
    harness: Harness, aside: MySqlConnection, url: str
) -> None:
    await aside.run(["DELETE FROM durable_execution_schema", "DROP TABLE durable_executors"])
    storage = open_storage(url)
    await storage.open()
    await storage.heartbeat(Beat(executor_id="a", lease_ms=1000))
    await storage.close()


async def test_migration_that_fails_lets_others_go_on(
    harness: Harness, aside: MySqlConnection, url: str
) -> None:
    await aside.run(["UPDATE durable_execution_schema SET version = 99"])
    refused = open_storage(url)
    with pytest.raises(StorageError, match="has schema version 99"):
        await refused.open()
    await aside.run(["UPDATE durable_execution_schema SET version = 1"])
    async with asyncio.timeout(30):
        await refused.open()
    await refused.close()


@pytest.mark.parametrize(
    ("end", "message", "may_pass"),
    [
        ("127.0.0.1:1/db", "the connection failed", True),
        ("{host}/nowhere", "there is no such database", False),
        ("someone:secret@{host}/test_0", "the server refused the user or the password", False),
    ],
)
async def test_opening_says_what_is_wrong(
    mariadb: MariaDb, end: str, message: str, may_pass: bool
) -> None:
    mariadb.new_url()
    host = f"127.0.0.1:{mariadb.server.port}"
    user = "" if "@" in end else "root:secret@" if "1/db" in end else "root@"
    storage = open_storage(f"mysql://{user}{end.format(host=host)}")
    with pytest.raises(StorageError, match=message) as raised:
        await storage.open()
    assert isinstance(raised.value, StorageUnavailableError) == may_pass
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql+pymysql://host/db", "expected plain 'mysql' or 'mariadb'"),
        ("mysql://host", "names no database"),
        ("mariadb://host:port/db", "cannot be read"),
        ("mysql://host/db?charset=x", "unknown options charset; known are pool_size, ssl, ssl_ca"),
        ("mysql://host/db?pool_size=0", "pool_size must be 1 to 1000, got '0'"),
        ("mysql://host/db?ssl=on", "ssl must be disable, require, verify-full, got 'on'"),
        ("mysql://host/db?ssl_ca=x", "ssl_ca must be left out without verify-full"),
        ("mysql://host/db?ssl=verify-full&ssl_ca=/nowhere", "ssl_ca cannot be read"),
        ("mysql://host/db?ssl=disable&ssl=require", "ssl must be one value"),
    ],
)
def test_urls_that_name_no_database(url: str, message: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        open_storage(url)
    assert message in str(raised.value)


async def test_tables_may_have_a_name_of_their_own(url: str) -> None:
    tables = TaskExecutionTables(name="orders_" + "x" * 33)
    storage = open_storage(url, tables=tables)
    await storage.open()
    harness = Harness(storage, advance=asyncio.sleep, open_second=None)  # type: ignore[arg-type]
    parent, children = await harness.waiting(2)
    await harness.complete(*(await harness.claim()).records)
    assert (await harness.read(parent)).active_children_count == 0
    assert [(await harness.read(child)).status for child in children] == ["completed"] * 2
    await storage.insert([harness.records.sleeper(1, "bell")])
    with pytest.raises(DuplicateSleepingIdError, match="bell"):
        await storage.insert([harness.records.sleeper(1, "bell")])
    await storage.close()
    with pytest.raises(StorageError, match="no table durable_task_executions"):
        await open_storage(url, migrate=False).open()
    given = open_storage(url, tables=tables, migrate=False)
    await given.open()
    await given.close()


def test_schema_of_tables_is_the_database_of_the_url() -> None:
    with pytest.raises(InvalidOptionError, match="a schema is a database, which the URL names"):
        open_storage("mysql://host/db", tables=TaskExecutionTables(schema="other"))
