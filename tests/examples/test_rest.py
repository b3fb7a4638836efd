"""The page about plain HTTP does what it says."""

from __future__ import annotations

import json
import re
import shlex
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from durable_execution.cli.application import application
from tests.examples.pages import Page
from tests.served import served

PAGE = Page("rest.md")
ORIGIN = "http://localhost:3000"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the page."""
    module = ModuleType("shipping")
    monkeypatch.setitem(sys.modules, "shipping", module)
    PAGE.run(*PAGE.of("python"), into=module)
    return module


@pytest.fixture
def origin(page: ModuleType) -> Iterator[str]:
    with served(page.app) as origin:
        yield origin


def sent(command: str, origin: str) -> tuple[int, Any]:
    """The answer to a request as curl would send it."""
    words = shlex.split(command.replace("\\\n", " ").replace(ORIGIN, origin), comments=True)
    url = next(word for word in words if word.startswith("http"))
    given = list(pairwise(words))
    headers = dict(word.split(": ", 1) for flag, word in given if flag == "-H")
    data = next((word.encode() for flag, word in given if flag == "-d"), None)
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_requests_of_the_page_are_answered_as_it_says(origin: str) -> None:
    enqueue, look = re.findall(r"^curl .*?\n(?=#)", PAGE.of("sh")[0], re.MULTILINE | re.DOTALL)
    status, made = sent(enqueue, origin)
    execution_id = made["executionId"]
    again = sent(enqueue, origin)
    _, execution = sent(look.replace("te_…", execution_id), origin)

    assert (status, again) == (201, (201, made))
    assert execution["status"] == "completed"
    assert execution["output"] == {"tracking": f"trk_{execution_id}"}
    assert execution["input"]["due"] == "2024-02-29T12:00:00Z"


def test_failure_is_told_as_the_page_shows_it(origin: str) -> None:
    (shown,) = PAGE.of("json")
    enqueue = re.findall(r"^curl .*?\n(?=#)", PAGE.of("sh")[0], re.MULTILINE | re.DOTALL)[0]
    answer = sent(enqueue.replace('"weight": 1.5', '"weight": "1"'), origin)

    assert answer == (400, json.loads(shown))


def test_document_is_written_by_the_command(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    command = PAGE.of("sh")[-1].split()[1:]

    assert CliRunner().invoke(application, command).exit_code == 0
    document = json.loads((tmp_path / "openapi.json").read_text(encoding="utf-8"))
    assert document["openapi"] == "3.1.0"
    assert "/tasks/shipParcel/executions" in document["paths"]
    assert document["components"]["schemas"]["ParcelInput"]["required"] == ["to", "weight"]
    assert CliRunner().invoke(application, [*command, "--check"]).exit_code == 0
