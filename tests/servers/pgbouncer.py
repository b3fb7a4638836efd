"""The real PgBouncer in transaction mode, where this machine has it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest

from tests.servers.postgres import account_of_servers, free_port, is_listening

START_TIMEOUT = 10.0
WHY_NOT = "this machine has no PgBouncer: install the package pgbouncer"
SETTINGS = """[databases]
{database} = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
server_login_retry = 1
logfile = {folder}/log
"""


class PgBouncer:
    """A pooler before the server that a URL names."""

    def __init__(self, binary: str, url: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="durable-pgbouncer-"))
        self._port = free_port()
        self._server = self._settle(url)
        account = account_of_servers()
        if account is not None:
            shutil.chown(self._folder, account)
        self._process = subprocess.Popen(
            [binary, "-q", str(self._folder / "settings.ini")],
            user=account,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        """The database of the server, by way of the pooler."""
        return self._server._replace(
            netloc=f"{self._server.username}@127.0.0.1:{self._port}"
        ).geturl()

    def point_to(self, url: str) -> None:
        """Lead to another server from now on, as whoever promotes one does."""
        self._settle(url)
        self._process.send_signal(signal.SIGHUP)

    def wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_listening(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.02)  # it has no other way to say that it is ready

    def remove(self) -> None:
        self._process.terminate()
        self._process.wait(START_TIMEOUT)
        shutil.rmtree(self._folder)

    def _settle(self, url: str) -> SplitResult:
        server = urlsplit(url)
        settings = SETTINGS.format(
            database=server.path.lstrip("/"),
            host=server.hostname,
            port=server.port or 5432,
            user=server.username,
            listen_port=self._port,
            folder=self._folder,
        )
        (self._folder / "settings.ini").write_text(settings)
        return server


@contextmanager
def pgbouncer_before(url: str) -> Iterator[PgBouncer]:
    """Put a pooler before a server."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        if "CI" in os.environ:
            raise RuntimeError(WHY_NOT)
        pytest.skip(WHY_NOT)
    pooler = PgBouncer(binary, url)
    try:
        pooler.wait_until_it_listens()
        yield pooler
    finally:
        pooler.remove()
