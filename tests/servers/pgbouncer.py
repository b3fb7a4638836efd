"""The real PgBouncer in transaction mode, where this machine has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

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
logfile = {folder}/log
"""


@contextmanager
def pgbouncer_before(url: str) -> Iterator[str]:
    """Put a pooler before a server; give the URL to reach that by."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        if "CI" in os.environ:
            raise RuntimeError(WHY_NOT)
        pytest.skip(WHY_NOT)
    server = urlsplit(url)
    folder = Path(tempfile.mkdtemp(prefix="durable-pgbouncer-"))
    port = free_port()
    settings = SETTINGS.format(
        database=server.path.lstrip("/"),
        host=server.hostname,
        port=server.port or 5432,
        user=server.username,
        listen_port=port,
        folder=folder,
    )
    (folder / "settings.ini").write_text(settings)
    account = account_of_servers()
    if account is not None:
        shutil.chown(folder, account)
    process = subprocess.Popen(
        [binary, "-q", str(folder / "settings.ini")],
        user=account,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_listening(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.02)  # it has no other way to say that it is ready
        yield server._replace(netloc=f"{server.username}@127.0.0.1:{port}").geturl()
    finally:
        process.terminate()
        process.wait(START_TIMEOUT)
        shutil.rmtree(folder)
