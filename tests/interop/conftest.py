"""Real npm packages for the interop tests: installed once, run as ordinary subprocesses.

Where Node.js is missing the tests are skipped with the reason; with ``CI`` set they fail instead,
so that a broken runner cannot pass by running nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import pytest

from tests.served import served

ROOM = Path(__file__).parent
EXAMPLE = ROOM.parent.parent / "examples" / "typescript"
OLDEST_NODE = 20
INSTALL_TIMEOUT = 100.0
RUN_TIMEOUT = 60.0


class RunNode(Protocol):
    """Runs a script of this room under Node.js and waits for it."""

    def __call__(
        self, script: str, args: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


@dataclass(frozen=True)
class NodeServer:
    """A running server of this room."""

    process: subprocess.Popen[str]
    origin: str

    @property
    def url(self) -> str:
        return f"{self.origin}/rpc"


class StartServer(Protocol):
    """Starts a server of this room."""

    def __call__(self, script: str = "orpc_server.mjs") -> NodeServer: ...


Compile = Callable[[Path], None]
"""Compiles a folder of TypeScript; fails with what the compiler says."""
ServeApp = Callable[[Any], str]
"""Serves an ASGI application and gives its origin."""


@pytest.fixture(scope="session")
def node() -> str:
    """The Node.js program."""
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        unavailable(f"Node.js {OLDEST_NODE} or newer and npm are not installed")
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    version = answer.stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        unavailable(f"Node.js {version} is too old, {OLDEST_NODE} or newer is needed")
    return program


@pytest.fixture(scope="session")
def node_modules(node: str) -> Path:
    """The packages of the lock file, installed when they are missing or older than it."""
    return installed_packages(ROOM)


@pytest.fixture(scope="session")
def tsc(node_modules: Path) -> Compile:
    """The TypeScript compiler of the example, for a folder with a `tsconfig.json`."""
    program = installed_packages(EXAMPLE) / ".bin" / "tsc"

    def compile_folder(folder: Path) -> None:
        answer = subprocess.run(
            [str(program), "-p", str(folder)],
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout

    return compile_folder


@pytest.fixture(scope="session")
def run_node(node: str, node_modules: Path) -> RunNode:
    """Runs a script of this room to its end; the caller checks ``returncode``."""

    def run(
        script: str, args: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [node, str(ROOM / script), *args],
            cwd=ROOM,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def start_orpc_server(
    node: str, node_modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartServer]:
    """Starts another server, for a test that kills its own; all end with the session."""
    with ExitStack() as stack:

        def start(script: str = "orpc_server.mjs", *args: str) -> NodeServer:
            log = stack.enter_context(
                (tmp_path_factory.mktemp("orpc_server") / "stderr").open("w+")
            )
            process = stack.enter_context(launch(node, script, log, args))
            stack.callback(process.kill)
            return NodeServer(process, f"http://127.0.0.1:{announced_port(process, log)}")

        yield start


@pytest.fixture(scope="session")
def serve_app() -> Iterator[ServeApp]:
    """Serves applications of ours under uvicorn, each in a thread of this process."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


@pytest.fixture(scope="session")
def orpc_server(start_orpc_server: StartServer) -> NodeServer:
    """A real @orpc/server on a free loopback port, shared by the tests of the session."""
    return start_orpc_server()


def launch(node: str, script: str, log: IO[str], args: Sequence[str] = ()) -> subprocess.Popen[str]:
    """The server process; it ends by itself once its standard input is closed."""
    return subprocess.Popen(
        [node, str(ROOM / script), *args],
        cwd=ROOM,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )


def announced_port(process: subprocess.Popen[str], log: IO[str]) -> int:
    """The port the server prints once it listens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        log.seek(0)
        pytest.fail(f"the server did not start:\n{log.read()}")
    port: int = json.loads(line)["port"]
    return port


def installed_packages(folder: Path) -> Path:
    """The packages of a folder's lock file, installed when they are missing or older than it."""
    lock = folder / "package-lock.json"
    installed = folder / "node_modules" / ".package-lock.json"
    with lock.open("rb") as held:
        # Two sessions at once (xdist, two terminals) must not both empty the folder.
        fcntl.flock(held, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            install(folder)
    return folder / "node_modules"


def install(folder: Path) -> None:
    """Exactly the locked packages."""
    answer = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT,
        check=False,
    )
    if answer.returncode != 0:
        unavailable(f"npm ci failed in {folder}: {answer.stderr.strip()[-600:]}")


def unavailable(reason: str) -> NoReturn:
    """Skips on a developer's machine, fails in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
