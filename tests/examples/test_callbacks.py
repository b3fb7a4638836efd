"""The page about callbacks does what it says; that of Next.js is in tests/interop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.examples.callbacks_page import (
    FILES,
    environment_of,
    executor_server,
    free_port,
    process,
    rendered,
    until_it_listens,
)

pytestmark = pytest.mark.processes


def test_page_has_the_blocks_that_are_looked_at() -> None:
    assert list(FILES) == [
        "video_server.py",
        "video_app.py",
        "app/api/tasks/render-video/route.ts",
    ]


def test_page_passes_a_strict_type_checker(tmp_path: Path) -> None:
    names = ["video_server.py", "video_app.py"]
    for name in names:
        (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir=.cache", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout


def test_app_in_fastapi_renders_a_film(tmp_path: Path) -> None:
    app_port, server_port = free_port(), free_port()
    environment = environment_of(app_port, server_port)
    (tmp_path / "video_app.py").write_text(FILES["video_app.py"], encoding="utf-8")
    command = [sys.executable, "-m", "uvicorn", "video_app:app", "--port", str(app_port)]
    log = tmp_path / "video_app.log"
    with (
        process(command, tmp_path, environment, log) as app,
        executor_server(tmp_path, server_port, environment),
    ):
        asyncio.run(until_it_listens(app_port, app, log))
        output, told = asyncio.run(rendered(environment["EXECUTOR_URL"], "metropolis"))
        forged = f"{environment['APP_URL']}/api/tasks/render-video"
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(forged, data=b"{}", timeout=10)
        refusal.value.close()

    assert output == {"url": "https://videos.example/metropolis.mp4"}
    assert told == [(0.5, "cutting metropolis")]
    assert refusal.value.code == 401
