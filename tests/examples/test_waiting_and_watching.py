"""The page about waiting and watching does what it says, in Python and with the real client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from durable_execution import DurableExecutor, InMemoryStorage, TaskContext
from tests.examples.pages import Page
from tests.interop.conftest import ROOM, node, node_modules
from tests.served import served

__all__ = ["node", "node_modules"]

PAGE = Page("waiting-and-watching.md")
SERVER, *CLIENT = PAGE.of("python")
[TYPESCRIPT] = PAGE.of("ts")
ORIGIN = "http://localhost:3000"
"""The one that the page prints; tests take a free port in its place."""


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("video_server")
    monkeypatch.setitem(sys.modules, "video_server", module)
    PAGE.run(SERVER, into=module)
    with served(module.app) as origin:
        yield origin


@pytest.fixture
async def page(origin: str) -> AsyncIterator[dict[str, Any]]:
    """All the names that the page defines for its client."""
    names = PAGE.run(*(block.replace(ORIGIN, origin) for block in CLIENT))
    yield names
    await names["link"].aclose()
    names["sync_link"].close()


async def test_waiting_gives_the_result_or_what_there_is(page: dict[str, Any]) -> None:
    assert (await page["encode_now"](1)).startswith("https://videos.example.com/te_")
    assert "url" in await page["encode_or_come_back"](0)
    later = await page["encode_or_come_back"](30)
    assert later["status"] in {"ready", "running"}
    assert (await page["videos"].cancel(later["id"])).status == "cancelled"


async def test_watching_tells_progress_and_ends_with_the_finish(page: dict[str, Any]) -> None:
    lines = await page["encode_and_show"](3)

    assert lines[-1] == "completed"
    assert set(lines) & {"0% 0 of 3 s", "33% 1 of 3 s", "67% 2 of 3 s"}


async def test_handles_of_an_executor_watch_too(page: dict[str, Any]) -> None:
    async with DurableExecutor(InMemoryStorage()) as executor:

        @executor.task
        async def encode(ctx: TaskContext, seconds: int) -> str:
            ctx.progress(1)
            return str(seconds)

        lines = await page["encode_here"](executor, encode, [3, 2])
        assert lines[-2:] == [1, "completed"]
        counts = (await executor.count_task_executions())["encode"].by_status
        assert sum(counts.values()) == 2


async def test_what_was_enqueued_is_found_and_stopped(page: dict[str, Any]) -> None:
    ids = await page["encode_all"]("acme", [300, 300])
    others = await page["encode_all"]("other", [300])

    assert await page["stop_all_of"]("acme") == len(ids) == 2
    assert await page["stop_all_of"]("acme") == 0
    assert await page["stop_all_of"]("other") == len(others)


def test_scripts_watch_in_a_plain_loop(origin: str) -> None:
    names = PAGE.run(*(block.replace(ORIGIN, origin) for block in CLIENT))

    with names["sync_link"]:
        fractions = names["encode_in_a_script"](3)

    assert fractions == sorted(set(fractions))
    assert fractions


@pytest.mark.interop
def test_typescript_of_the_page_runs_with_the_real_client(
    node: str, node_modules: Path, origin: str, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(ROOM / "node_modules")
    script = tmp_path / "page.mjs"
    script.write_text(TYPESCRIPT.replace(ORIGIN, origin), encoding="utf-8")

    finished = subprocess.run(
        [node, str(script)], capture_output=True, text=True, timeout=60, check=False
    )

    assert finished.returncode == 0, finished.stderr
    *told, output, found = finished.stdout.splitlines()
    assert told[-1] == "completed"
    assert any(line.endswith(" of 3 s") for line in told)
    assert output.startswith("https://videos.example.com/te_")
    assert found == "2"
