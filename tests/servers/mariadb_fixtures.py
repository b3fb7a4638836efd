"""The MariaDB server that tests share, one for a whole run, and one of a test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from tests.servers.mariadb import MariaDbServer, mariadb_binary

CREATED_TOGETHER = 50
WHY_NOT = "this machine has no MariaDB server: install the package mariadb-server"


class MariaDb:
    """A database server, of which every test gets a database of its own."""

    def __init__(self, server: MariaDbServer) -> None:
        self.server = server
        self._numbers = count(0)

    def new_url(self) -> str:
        """Return the URL of an empty database."""
        number = next(self._numbers)
        if number % CREATED_TOGETHER == 0:
            numbers = range(number, number + CREATED_TOGETHER)
            self.server.run("".join(f"CREATE DATABASE test_{each};" for each in numbers))
        return f"{self.server.url}/test_{number}"


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """The MariaDB of this machine."""
    with started() as server:
        yield MariaDb(server)


@pytest.fixture
def mariadb_server() -> Iterator[MariaDbServer]:
    """A server of the test's own, to be stopped and started."""
    with started() as server:
        yield server


@contextmanager
def started() -> Iterator[MariaDbServer]:
    """Start a server, and remove it afterwards; skip the test where there is none to start."""
    binary = mariadb_binary()
    if binary is None:
        if "CI" in os.environ:
            raise RuntimeError(WHY_NOT)
        pytest.skip(WHY_NOT)
    try:
        server = MariaDbServer(binary)
    except PermissionError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"MariaDB cannot be run as another user: {error}")
    try:
        server.start()
        yield server
    finally:
        server.remove()
