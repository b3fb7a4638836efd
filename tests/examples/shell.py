"""A page's commands, run by a shell in order, and what each block of them says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

from tests.examples.pages import Page

MARK = "--- end of a block ---"
INSTALLS = re.compile(r"^(?:python3 -m venv|\. \.venv|pip install) ?.*$", re.MULTILINE)
"""What makes an environment: tests bring one, whose programs are found first."""


def run_commands(page: Page, folder: Path, programs: Path) -> list[tuple[str, str | None]]:
    """Run all `sh` blocks in one shell, on a port that is free, installing nothing.

    Returns what each of them said, and what the page says that it says: the `text` block that
    follows, if one does.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    for name, text in page.files.items():
        (folder / name).write_text(text.replace("localhost:3000", f"localhost:{port}"))
    shown = [block for block in page.blocks if block.language in {"sh", "text"}]
    expected: list[str | None] = []
    script = ["set -eu", "trap 'kill -9 $(jobs -p) 2>/dev/null || true' EXIT"]
    for index, block in enumerate(shown):
        if block.language == "text":
            continue
        following = shown[index + 1] if index + 1 < len(shown) else None
        expected.append(following.text if following and following.language == "text" else None)
        commands = INSTALLS.sub("", block.text).replace("--port 3000", f"--port {port}")
        script += [commands, f"echo '{MARK}'"]
    answer = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    log = folder / "server.log"
    assert answer.returncode == 0, answer.stderr + (log.read_text() if log.exists() else "")
    said = answer.stdout.split(f"{MARK}\n")[:-1]
    return list(zip(said, expected, strict=True))
