"""The page about keys, tags and search does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from durable_execution import DurableExecutor
from tests.examples.pages import Page

PAGE = Page("idempotency-and-search.md")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All the names that the page defines."""
    monkeypatch.chdir(tmp_path)
    return PAGE.run()


async def test_the_page_runs_as_it_is_printed(page: dict[str, Any]) -> None:
    executor: DurableExecutor = page["executor"]
    async with executor:
        first = await page["place_order"](42, 995)
        assert await page["place_order"](42, 995) == first
        assert await page["place_again"](42, 995) == first
        assert await page["place_again"](42, 1) == f"already {first}"
        handle = await executor.get_task_execution_handle(page["charge"], first)
        assert await handle.result(timeout=30) == "receipt 42"

        for order in range(3):
            await page["charge_for"]("acme", order)
        await page["charge_for"]("other", 9)
        assert len(await page["receipts_of"]("acme")) == 3
        assert await page["failures_of_the_last_hour"]() == []
        assert await page["backlog"]() in range(5)
        assert await page["stranded"]() == {}
        assert await page["clean_up"]() == 0
    assert page["tidy_executor"].tasks == {}
