from __future__ import annotations

import asyncio

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, InMemoryStorage, TaskContext
from durable_execution.dashboard import create_dashboard, figures
from durable_execution.dashboard.figures import Count, figures_of
from tests.dashboard.conftest import Shop, ended
from tests.dashboard.visitor import Visitor


@pytest.mark.parametrize("lease", [2], indirect=True)  # beats come by the lease
async def test_figures_tell_what_waits_runs_sleeps_and_failed(executor: DurableExecutor) -> None:
    may_end = asyncio.Event()

    @executor.task
    async def fail(ctx: TaskContext) -> None:
        raise ValueError("no")

    @executor.task
    async def wait(ctx: TaskContext) -> None:
        await may_end.wait()

    sleeper = executor.sleeping_task("sleeper", timeout=60)
    await (await executor.enqueue_task(fail)).wait_and_get_finished_execution()
    running = await executor.enqueue_task(wait)
    await executor.enqueue_task(sleeper, "one")
    await executor.enqueue_task(fail, sleep_before_run=3_600)
    while (await running.get_execution()).status != "running":
        await asyncio.sleep(0.01)  # the claim is what is waited for
    while (found := await figures_of(executor)).running != 1:
        await asyncio.sleep(0.05)  # the next beat tells how many run
    may_end.set()

    assert found.failed == Count(1)
    assert found.sleeping == Count(1)
    assert found.alive == 1
    assert found.lost == 0
    assert found.unknown == ()
    (worker,) = found.executors
    assert worker.is_alive
    assert worker.tasks == 3
    assert worker.beat_at is not None
    assert worker.started_at is not None


async def test_work_that_nobody_knows_is_told() -> None:
    nobody = ExecutorOptions(max_concurrent_task_executions=0)
    async with DurableExecutor(InMemoryStorage(), nobody) as executor:

        @executor.task
        async def greet(ctx: TaskContext) -> None: ...

        await executor.enqueue_task(greet)
        found = await figures_of(executor)
        page = await Visitor(create_dashboard(executor)).get("/")

    assert [(task.task_id, task.ready) for task in found.unknown] == [("greet", Count(1))]
    assert found.oldest_ready_ms is not None
    assert "No executor alive knows this task, whose work stays undone: greet (1 ready)." in (
        page.words
    )


async def test_counts_say_when_there_may_be_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "COUNTED_AT_MOST", 2)
    for order in range(3):
        await shop.executor.enqueue_task(shop.payment, f"order-{order}")
    await ended(shop, shop.refuse, 1)
    found = await figures_of(shop.executor)

    assert found.sleeping == Count(2, is_least=True)
    assert found.failed == Count(1)
    page = await Visitor(create_dashboard(shop.executor)).get("/")
    assert "Sleeping 2+ until woken" in page.words


async def test_an_executor_that_has_signed_off_is_not_lost(shop: Shop) -> None:
    async with DurableExecutor(shop.executor._storage.sibling()):
        assert (await figures_of(shop.executor)).alive == 2
    found = await figures_of(shop.executor)
    assert (found.alive, found.lost) == (1, 0)
