"""The databases of the comparison, each started when first needed, and emptied for each system."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.storages import run_on_postgres, running_postgres

START_TIMEOUT = 30.0


class Databases:
    """A PostgreSQL and a Redis, started when first needed."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: dict[str, str] = {}
        self._number = 0

    def __enter__(self) -> Databases:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def fresh(self, kind: str) -> Iterator[str]:
        """Give the URL of an empty database."""
        self._number += 1
        if kind == "sqlite":
            with tempfile.TemporaryDirectory() as folder:
                yield f"sqlite:///{folder}/tasks.db"
        elif kind == "redis":
            url = self._servers.get("redis") or self._stack.enter_context(running_redis())
            self._servers["redis"] = url
            yield f"{url}/{self._number % 16}"
        else:
            if "postgres" not in self._servers:
                self._servers["postgres"] = self._stack.enter_context(running_postgres()).url
            server, name = self._servers["postgres"], f"peer_{self._number}"
            asyncio.run(run_on_postgres(server, f"CREATE DATABASE {name}", "CHECKPOINT"))
            yield server.rpartition("/")[0] + f"/{name}"
            drop = f"DROP DATABASE {name} WITH (FORCE)"
            asyncio.run(run_on_postgres(server, drop))


@contextmanager
def running_redis() -> Iterator[str]:
    """Start a Redis that keeps everything in memory: the fastest, and what most run."""
    binary = shutil.which("redis-server")
    if binary is None:
        sys.exit("redis-server is needed for the systems on Redis; leave them out with --systems")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [binary, "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(
        [*command, "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir()
    ) as server:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # it has no other way to say that it is ready
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()
