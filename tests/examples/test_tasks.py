"""The page about tasks does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from durable_execution import DurableExecutor, LoopGaveUp, LoopSucceeded
from durable_execution.orpc import AsgiSender, RPCLink, create_orpc_client
from tests.examples.pages import Page


@pytest.fixture
def pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All the names that the page defines."""
    monkeypatch.chdir(tmp_path)
    return Page("tasks.md").run()


async def test_tasks_take_what_their_hints_say(pieces: dict[str, Any]) -> None:
    executor: DurableExecutor = pieces["executor"]
    assert {"sendEmail", "resize", "charge", "measure", "processOrder"} <= set(executor.tasks)
    async with executor:
        email = pieces["Email"]("ada@example.com", "Welcome")
        sent = await executor.enqueue_task(pieces["send_email"], email)
        assert await sent.result(timeout=30) == "sent to ada@example.com"
        assert await (await executor.enqueue_task(pieces["resize"], 9)).result(timeout=30) == 4


async def test_shapes_of_work_do_what_is_said(pieces: dict[str, Any]) -> None:
    executor: DurableExecutor = pieces["executor"]

    async def result(task: str, *given: Any) -> Any:
        handle = await executor.enqueue_task(pieces[task], *given)
        return await handle.result(timeout=30)

    async with executor:
        assert await result("process_batch", ["a", "bc"]) == {"processed": 2, "total": 2}
        assert await result("measure", "four") == "4 characters"
        trip = await result("book_trip", "Rome")
        assert trip.output == "undone"
        assert [each.output for each in trip.children] == ["cancelled: flight for Rome"]
        assert await result("crawl", "https://a.example") == 2
        payment = await executor.enqueue_task(pieces["wait_for_payment"], "order-7")
        await pieces["on_payment_webhook"]("order-7", 9.5)
        assert await payment.result(timeout=30) == 9.5


async def test_loop_ends_as_its_turns_say(pieces: dict[str, Any]) -> None:
    executor: DurableExecutor = pieces["executor"]
    loop = executor.looping_task("quick", pieces["look_for_report"], 2, 0)
    async with executor:
        done = await executor.enqueue_task(loop, "may.pdf")
        never = await executor.enqueue_task(loop, "may.doc")
        assert await done.result(timeout=30) == LoopSucceeded("https://reports.example.com/may.pdf")
        assert await never.result(timeout=30) == LoopGaveUp()


async def test_app_answers_the_call_of_a_remote_task(pieces: dict[str, Any]) -> None:
    link = RPCLink("http://app/api/rpc", sender=AsgiSender(pieces["app"]))
    answer = await create_orpc_client(link).processOrder(
        {"orderId": "7"}, headers={"x-durable-execution-id": "te_1"}
    )
    assert answer == {"transactionId": "txn_te_1"}
