"""The page about web apps: its server, and its FastAPI app. That of Next.js is in tests/interop."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.examples.web_apps import (
    FILES,
    TOKEN,
    check_web_app,
    executor_server,
)
from tests.served import served

pytestmark = pytest.mark.processes


def test_fastapi_app_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with executor_server(tmp_path) as server:
        monkeypatch.setenv("EXECUTOR_URL", f"{server}/rpc")
        monkeypatch.setenv("TASKS_TOKEN", TOKEN)
        module = ModuleType("web_app")
        monkeypatch.setitem(sys.modules, "web_app", module)
        exec(compile(FILES["web_app.py"], "web_app.py", "exec"), vars(module))
        with served(module.app) as app:
            check_web_app(app, server)


def test_app_of_the_page_loads_no_engine() -> None:
    assert "durable_execution.server" not in FILES["web_app.py"]
    assert "from durable_execution.client import" in FILES["web_app.py"]
