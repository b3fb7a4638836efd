"""The commands of the image, run without an engine: in an environment with what it installs."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from tests.distribution.conftest import ROOT, Installed
from tests.examples.pages import Page

pytestmark = [pytest.mark.distributions, pytest.mark.timeout(400)]

TEXT = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")

LOCKED = """
from executor_server import executor, router
from durable_execution.server import Access, BearerToken, BearerTokens, RPCHandler
from durable_execution.server import create_executor_app, secrets_from_env

everything = Access(tasks="*", procedures="*")
auth = BearerTokens({"web-app": BearerToken(secrets_from_env("WEB_APP_TOKENS"), access=everything)})
app = create_executor_app(executor, {"/rpc": RPCHandler(router)}, auth=auth)
"""


def given(instruction: str) -> list[str]:
    """The words of an instruction, all stages together; the last one of its kind counts."""
    return re.findall(rf"^{instruction}\b *(.*)$", TEXT, re.MULTILINE)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def test_image_serves_and_its_health_check_tells(installed: Installed, tmp_path: Path) -> None:
    [extras] = (each.removeprefix("EXTRAS=") for each in given("ARG") if each.startswith("EXTRAS"))
    installed.install(*extras.split(","))
    page = Page("README.md")
    page.write_files(tmp_path)
    # The application of an image needs a lock: it listens beyond its container.
    (tmp_path / "app.py").write_text(LOCKED)

    port = free_port()
    [entry], [command] = given("ENTRYPOINT"), given("CMD")
    words = [word.replace("3000", port) for word in (*json.loads(entry), *json.loads(command))]
    [check] = re.findall(r"CMD (\[.*\])$", given("HEALTHCHECK")[0])
    assert "3000" in check
    health = json.loads(check.replace("3000", port))
    path = f"{installed.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "WEB_APP_TOKENS": "a-token-of-the-web-app"}

    def is_healthy() -> bool:
        answer = subprocess.run(
            health, cwd=tmp_path, env=environment, capture_output=True, timeout=30, check=False
        )
        return answer.returncode == 0

    assert not is_healthy()
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert f"app:app on http://0.0.0.0:{port}, 1 task" in process.stdout.readline()
        assert is_healthy()
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert not is_healthy()


def test_what_the_image_copies_is_there_after_make_dist() -> None:
    [copied] = (each for each in given("COPY") if not each.startswith("--from"))
    *sources, _ = copied.split()
    assert sources == ["constraints.txt", "dist/*.whl"]
    assert (ROOT / "constraints.txt").exists()


def test_image_runs_as_nobody_in_particular() -> None:
    assert given("USER") == ["10001"]
    assert given("STOPSIGNAL") == ["SIGTERM"]
    assert TEXT.index("\nUSER ") > TEXT.rindex("\nFROM ")
