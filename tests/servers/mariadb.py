"""MariaDB servers for the tests, each in a temporary folder on a free port of the loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.servers.postgres import free_port

START_TIMEOUT = 30.0


class MariaDbServer:
    """A server that can be stopped and started again on the same port and data.

    Settings given here take the place of those that suit tests.
    """

    def __init__(
        self, binary: Path, settings: Mapping[str, str | int] = MappingProxyType({})
    ) -> None:
        self._settings = settings
        self._binary = binary
        self._folder = Path(tempfile.mkdtemp(prefix="durable-mariadb-"))
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        if self._account is not None:
            shutil.chown(self._folder, self._account)
        # A folder of its own for this, too: a server that starts removes what looks like the
        # temporary tables of one that is gone.
        self._temporary.mkdir()
        if self._account is not None:
            shutil.chown(self._temporary, self._account)
        install = shutil.which("mariadb-install-db") or "mariadb-install-db"
        subprocess.run(
            [
                install,
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--datadir={self._data}",
            ],
            user=self._account,
            check=True,
            cwd=self._folder,
            env={**os.environ, "TMPDIR": str(self._temporary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        return f"mariadb://root@127.0.0.1:{self.port}"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _temporary(self) -> Path:
        return self._folder / "temporary"

    def start(self) -> None:
        settings = {
            "port": self.port,
            "bind-address": "127.0.0.1",
            "datadir": self._data,
            "tmpdir": self._temporary,
            "socket": self._folder / "socket",
            "pid-file": self._folder / "pid",
            # No test cuts the power, and most tests make tables.
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-flush-method": "nosync",
            "innodb-doublewrite": 0,
            "innodb-buffer-pool-size": "64M",
            "max-connections": 200,
            **self._settings,
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binary,
                    "--no-defaults",
                    "--skip-log-bin",
                    "--skip-name-resolve",
                    *[f"--{name}={value}" for name, value in settings.items()],
                ],
                user=self._account,
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.02)  # the server has no other way to say that it is ready

    def run(self, sql: str) -> str:
        """Run statements as the server's own client does, and return what they print."""
        client = shutil.which("mariadb") or "mariadb"
        address = ["--host=127.0.0.1", f"--port={self.port}", "--user=root"]
        command = [client, "--no-defaults", *address, "--skip-column-names", "--batch"]
        return subprocess.run(
            command, input=sql, text=True, check=True, stdout=subprocess.PIPE
        ).stdout

    def stop(self, *, is_crash: bool = False) -> None:
        """Stop; as a crash, at once, and leave the repair to the start."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL if is_crash else signal.SIGTERM)
            process.wait(START_TIMEOUT)

    def remove(self) -> None:
        self.stop(is_crash=True)
        shutil.rmtree(self._folder)

    def _is_ready(self) -> bool:
        """Whether the server greets who connects."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False


def mariadb_binary() -> Path | None:
    """Return the MariaDB server of this machine."""
    found = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
    is_whole = all(map(shutil.which, ("mariadb-install-db", "mariadb")))
    return Path(found) if found is not None and is_whole else None


def _account() -> str | None:
    """Return whom to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "mysql" if "mysql" in names else "nobody"
