from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    InMemoryStorage,
    InvalidOptionError,
    StorageUnavailableError,
    TaskContext,
)
from durable_execution.orpc import AsgiSender, Request
from durable_execution.orpc._protocol import read_body
from durable_execution.server import (
    FULL_ACCESS,
    Access,
    BearerToken,
    BearerTokens,
    RPCHandler,
    create_executor_app,
    rpc,
)
from durable_execution.telemetry import PrometheusMetrics
from durable_execution.telemetry.scrape import METRICS_PATH
from durable_execution.testing.records import RecordBuilder

FULL, LIMITED = "a-token-for-everything", "a-token-for-one-thing"
SCRAPER = "a-token-for-the-metrics-alone"
AUTH = BearerTokens(
    {
        "operator": BearerToken(FULL, access=FULL_ACCESS),
        "prometheus": BearerToken(SCRAPER, access=Access(tasks=(), procedures=(), metrics=True)),
        "web-app": BearerToken(LIMITED, access=Access(tasks="*", procedures={"run"})),
    }
)


async def scrape(
    app: Any, token: str | None = None, target: str = METRICS_PATH, method: str = "GET"
) -> tuple[int, str]:
    headers = () if token is None else (("authorization", f"Bearer {token}"),)
    request = Request(method, target, headers=headers, origin="http://executor")
    response = await AsgiSender(app).send(request, max_response_size=1_000_000)
    body = await read_body(response.body, limit=1_000_000)
    return response.status, body.decode()


def make_executor(storage: InMemoryStorage | None = None) -> DurableExecutor:
    options = ExecutorOptions(observers=[PrometheusMetrics()], max_concurrent_task_executions=7)
    return DurableExecutor(storage or InMemoryStorage(), options)


async def test_what_was_counted_and_what_is_so_now_are_scraped() -> None:
    executor = make_executor()
    gate = asyncio.Event()

    @executor.task(id="held")
    async def held(ctx: TaskContext) -> None:
        await gate.wait()

    app = create_executor_app(executor, {}, metrics=True)
    async with app.router.lifespan_context(app):
        handle = await executor.enqueue_task(held)
        while not executor.running_task_executions_count:
            await asyncio.sleep(0)  # a turn of the loop
        status, text = await scrape(app)
        gate.set()
        await handle.result()
    assert status == 200
    lines = text.splitlines()
    assert "durable_execution_executor_healthy 1" in lines
    assert "durable_execution_attempts_running 1" in lines
    assert "durable_execution_attempts_limit 7" in lines
    assert "durable_execution_queue_age_seconds 0" in lines
    assert 'durable_execution_tasks_enqueued_total{task="held"} 1' in lines
    assert 'durable_execution_attempts_started_total{task="held"} 1' in lines


async def test_age_of_the_queue_is_that_of_work_nobody_runs() -> None:
    storage = InMemoryStorage()
    options = ExecutorOptions(max_concurrent_task_executions=0)
    async with DurableExecutor(storage, options) as executor:
        assert await executor.get_queue_age() == 0
        now = await storage.now()
        records = RecordBuilder()
        later = records.root(now, sleep_before_run_ms=60_000)
        await storage.insert([later])
        assert await executor.get_queue_age() == 0
        await storage.insert([records.root(now, task_id="unknown", start_at=now - 900_000)])
        # The clock of an executor is behind that of the storage, by as long as asking it took.
        assert 800 < await executor.get_queue_age() < 1200


async def test_metrics_are_behind_the_lock_of_everything() -> None:
    app = create_executor_app(make_executor(), {}, auth=AUTH, metrics=True)
    async with app.router.lifespan_context(app):
        assert (await scrape(app))[0] == 401
        assert (await scrape(app, LIMITED))[0] == 403
        status, text = await scrape(app, FULL)
        assert (await scrape(app, SCRAPER))[0] == 200
    assert status == 200
    assert "durable_execution_executor_healthy 1\n" in text


@pytest.mark.parametrize(
    "target", ["/", "/page", "/metrics/", "/metrics/x", "/rpc/metrics", "/rpc/run", "/late"]
)
async def test_who_may_scrape_may_do_nothing_else(target: str) -> None:
    async def run(ctx: object) -> str:
        return "ran"

    mounts = {"/rpc": RPCHandler({"run": rpc.handler(run)}), "/page": PlainTextResponse("a page")}
    app = create_executor_app(make_executor(), mounts, auth=AUTH, metrics=True)
    app.router.mount("/late", PlainTextResponse("mounted later"))
    async with app.router.lifespan_context(app):
        for method in ("GET", "POST"):
            assert (await scrape(app, SCRAPER, target, method))[0] in (403, 404, 405), method
        assert (await scrape(app, SCRAPER))[0] == 200
        assert (await scrape(app, SCRAPER, method="POST"))[0] == 405


async def test_without_metrics_their_scope_opens_nothing() -> None:
    app = create_executor_app(make_executor(), {}, auth=AUTH)
    app.router.mount("/metrics", PlainTextResponse("something else"))
    assert (await scrape(app, SCRAPER))[0] == 403


class LostStorage(InMemoryStorage):
    async def earliest_ready(self) -> int | None:
        raise StorageUnavailableError("connection refused by 10.0.0.7")


async def test_scrape_goes_without_what_the_storage_cannot_say() -> None:
    app = create_executor_app(make_executor(LostStorage()), {}, metrics=True)
    status, text = await scrape(app)  # not started yet
    assert status == 200
    assert "durable_execution_executor_healthy 0\n" in text
    async with app.router.lifespan_context(app):
        status, text = await scrape(app)
    assert status == 200
    assert "durable_execution_executor_healthy 1\n" in text
    assert "\ndurable_execution_queue_age_seconds " not in text
    errors = 'durable_execution_storage_errors_total{verb="earliest_ready"'
    assert f'{errors},error="StorageUnavailableError"}}' in text


async def test_without_metrics_there_is_nothing_at_their_path() -> None:
    assert (await scrape(create_executor_app(make_executor(), {})))[0] == 404


def test_metrics_need_somebody_who_counts_and_their_path() -> None:
    with pytest.raises(InvalidOptionError, match="PrometheusMetrics"):
        create_executor_app(DurableExecutor(InMemoryStorage()), {}, metrics=True)
    with pytest.raises(InvalidOptionError, match="/metrics"):
        create_executor_app(make_executor(), {METRICS_PATH: print}, metrics=True)  # type: ignore[dict-item]
