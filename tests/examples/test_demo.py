from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.processes


@pytest.fixture
def demo(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    (tmp_path / "tmp").mkdir()
    return subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_demo_ends_well_and_leaves_nothing(
    demo: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stderr == ""
    assert list((tmp_path / "tmp").iterdir()) == []
    for line in (
        "killed with SIGKILL",
        "anvil                 recovered, runs on",
        "to be woken by its id",
    ):
        assert line in demo.stdout


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are read from /proc")
def test_interrupted_demo_takes_its_servers_along(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "processBatch" in line:
                break
        process.send_signal(signal.SIGINT)
        # The pipe ends once nobody holds it; a server that stayed would write to its own.
        process.stdout.read()
        assert process.wait(timeout=30) != 0
    assert list(tmp_path.iterdir()) == []
    assert not servers_of(tmp_path)


def servers_of(folder: Path) -> list[str]:
    """Command lines of processes whose environment names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:  # it ended, or is not ours
            continue
    return found
