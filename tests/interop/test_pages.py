"""What the README and the page about oRPC show of TypeScript, run with the real client."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.examples.pages import Page
from tests.served import served

pytestmark = pytest.mark.interop


def run(node: str, node_modules: Path, folder: Path, script: str) -> str:
    (folder / "node_modules").symlink_to(node_modules)
    (folder / "page.mjs").write_text(script, encoding="utf-8")
    answer = subprocess.run(
        [node, "page.mjs"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_client_of_the_readme_is_told_the_result(
    node: str, node_modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = Page("README.md")
    for file in ("quickstart.py", "executor_server.py"):
        module = ModuleType(file.removesuffix(".py"))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        page.run(page.files[file], into=module)
    [script] = page.of("ts")
    with served(sys.modules["executor_server"].app) as origin:
        said = run(node, node_modules, tmp_path, script.replace("http://localhost:3000", origin))
    assert re.fullmatch(r"sent as msg_te_\w{24}\n", said)


def test_client_of_the_page_about_orpc_is_told_the_error_by_its_code(
    node: str, node_modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page("orpc.md")
    page.write_files(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    [script] = page.of("ts")
    server = page.run(page.files["shop_server.py"])
    monkeypatch.delitem(sys.modules, "shop")
    with served(server["app"]) as origin:
        said = run(node, node_modules, tmp_path, script.replace("http://localhost:8000", origin))
    assert said == "UNAUTHORIZED undefined\n"
