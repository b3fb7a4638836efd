"""The Next.js app of the page about web apps: its files, compiled and called as Next.js does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.web_apps import COMMANDS, PAGE, TOKEN, check_web_app, executor_server
from tests.interop.conftest import EXAMPLE, announced_port, launch

pytestmark = pytest.mark.interop

# What `create-next-app` writes, as far as it matters to these files.
COMPILER_OPTIONS = {
    "target": "es2022",
    "lib": ["dom", "dom.iterable", "dom.asynciterable", "esnext"],
    "module": "esnext",
    "moduleResolution": "bundler",
    "strict": True,
    "skipLibCheck": True,
    "types": ["node"],
    "rootDir": ".",
    "outDir": "dist",
}


def generate_tasks(folder: Path) -> None:
    """Run the page's command for the types of the tasks."""
    (line,) = (
        line
        for each in COMMANDS
        for line in each.splitlines()
        if line.startswith("durable-execution codegen")
    )
    answer = subprocess.run(
        [sys.executable, "-m", "durable_execution.cli", *line.split()[1:]],
        cwd=folder,
        env={**os.environ, "TASKS_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


def test_next_app_does_what_the_page_says(
    tmp_path: Path, node: str, tsc: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    PAGE.write_files(tmp_path, ".ts")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER_OPTIONS}))
    (tmp_path / "node_modules").symlink_to(EXAMPLE / "node_modules")
    with executor_server(tmp_path) as server:
        generate_tasks(tmp_path)
        tsc(tmp_path)
        monkeypatch.setenv("EXECUTOR_URL", f"{server}/rpc")
        monkeypatch.setenv("TASKS_TOKEN", TOKEN)
        with (
            (tmp_path / "log").open("w+") as log,
            launch(node, "next_routes.mjs", log, [str(tmp_path / "dist")]) as app,
        ):
            try:
                check_web_app(f"http://127.0.0.1:{announced_port(app, log)}", server)
            finally:
                app.kill()
                log.seek(0)
                print(log.read())  # noqa: T201 - shown when the test fails


def test_wrong_input_does_not_compile(tmp_path: Path, tsc: Callable[[Path], None]) -> None:
    PAGE.write_files(tmp_path, ".ts")
    PAGE.write_files(tmp_path, "executor_server.py")
    generate_tasks(tmp_path)
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER_OPTIONS}))
    (tmp_path / "node_modules").symlink_to(EXAMPLE / "node_modules")
    route = tmp_path / "app" / "api" / "videos" / "route.ts"
    route.write_text(route.read_text().replace("height: 1080", "height: 'tall'"))
    with pytest.raises(AssertionError, match="'string' is not assignable to type 'number'"):
        tsc(tmp_path)
