"""A database of the test's own on MariaDB, and a connection to it past everything under test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from durable_execution.storage.sql.mysql_connection import MySqlConnection, connect
from durable_execution.storage.sql.mysql_url import read_url
from tests.servers.mariadb_fixtures import MariaDb


@pytest.fixture
def url(mariadb: MariaDb) -> str:
    return mariadb.new_url()


@pytest.fixture
async def aside(url: str) -> AsyncIterator[MySqlConnection]:
    """A connection of somebody else, to the test's database."""
    connection = await connect(read_url(url)[0])
    yield connection
    connection.terminate()
