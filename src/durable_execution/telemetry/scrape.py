"""What Prometheus scrapes: an ASGI application that writes what was counted and what is so now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from durable_execution.errors import DurableExecutionError
from durable_execution.telemetry import catalog
from durable_execution.telemetry.catalog import Metric
from durable_execution.telemetry.prometheus import CONTENT_TYPE, PrometheusMetrics

if TYPE_CHECKING:
    from durable_execution.executor import DurableExecutor

METRICS_PATH: Final = "/metrics"
QUESTION_TIMEOUT: Final = 2.0
"""Seconds that the storage gets to say how old the queue is; else the scrape goes without."""


class MetricsEndpoint:
    """Answers a scrape. Who may ask is for what stands before it.

    Args:
        executor: Of which the gauges are; need not be started.
        metrics: What was counted.
    """

    def __init__(self, executor: DurableExecutor, metrics: PrometheusMetrics) -> None:
        self._executor = executor
        self._metrics = metrics

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer with the text, whatever the executor can and cannot say at this moment."""
        body = self._metrics.text(await gauges_of(self._executor)).encode()
        headers = [
            (b"content-type", CONTENT_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def gauges_of(executor: DurableExecutor) -> Mapping[Metric, float]:
    """Ask an executor for what is not counted but is so right now."""
    gauges: dict[Metric, float] = {
        catalog.IS_HEALTHY: executor.is_healthy,
        catalog.ATTEMPTS_RUNNING: executor.running_task_executions_count,
        catalog.ATTEMPTS_LIMIT: executor.options.max_concurrent_task_executions,
    }
    try:
        async with asyncio.timeout(QUESTION_TIMEOUT):
            gauges[catalog.QUEUE_AGE] = await executor.get_queue_age()
    except (DurableExecutionError, TimeoutError):
        pass  # its absence says so, and `executor_healthy` why
    return gauges
