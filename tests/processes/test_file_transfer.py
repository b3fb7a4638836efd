"""Large files pass through both sides without being held in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

SIZE = 96 * 1024 * 1024
# The pieces in flight on both sides of a socket, and what the allocator keeps of them.
ROOM = 24 * 1024 * 1024

COMMAND = [sys.executable, "-m", "tests.processes.file_transfer"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with subprocess.Popen(
        [*COMMAND, "serve"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


@pytest.mark.parametrize("dialect", ["v1", "v2"])
def test_memory_is_bounded_whatever_the_size(origin: str, dialect: str, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(SIZE)
    finished = subprocess.run(
        [*COMMAND, "call", origin, str(path), dialect],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout)
    assert told["sizes"] == [SIZE, SIZE]
    assert told["client"] < ROOM
    assert told["server"] < ROOM
