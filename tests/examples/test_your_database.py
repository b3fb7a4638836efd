"""The page about executions in one's own database does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from durable_execution import DurableExecutionNotFoundError, DurableExecutor, StorageError
from tests.examples.pages import Page

PAGE = Page("your-database.md")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All the names that the page defines."""
    monkeypatch.chdir(tmp_path)
    return PAGE.run()


async def test_order_and_shipping_are_one(page: dict[str, Any]) -> None:
    executor: DurableExecutor = page["executor"]
    async with executor:
        shipped = await page["place_order"](1, paid=True)
        never = await page["place_order"](2, paid=False)
        from_script = page["place_order_from_a_script"](3)
        for execution_id, parcel in ((shipped, "parcel 1"), (from_script, "parcel 3")):
            handle = await executor.get_task_execution_handle(page["ship"], execution_id)
            assert await handle.result(timeout=30) == parcel
        with pytest.raises(DurableExecutionNotFoundError):
            await executor.get_task_execution_handle(page["ship"], never)
    with page["engine"].connect() as connection:
        assert connection.execute(text("SELECT number FROM orders")).scalars().all() == [1, 3]
    page["engine"].dispose()


async def test_opening_without_migrating_needs_the_tables(page: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match="run durable-execution db upgrade"):
        await page["open_in_production"]("sqlite:///shop.db").start()
    with pytest.raises(StorageError, match="no table jobs"):
        await page["open_own_tables"]().start()
    page["metadata"].create_all(page["engine"])
    async with page["open_own_tables"]() as executor:
        assert await executor.count_task_executions() == {}
    page["engine"].dispose()
