"""Observers and tracers as type checkers see them. Checked, never run."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import assert_type

from durable_execution import DurableExecutor, ExecutorOptions, StorageCallMetrics, StoredError
from durable_execution.orpc import RPCLink
from durable_execution.server import observe_calls, rpc
from durable_execution.telemetry import (
    Activity,
    AttemptEnded,
    Fact,
    OpenTelemetryMetrics,
    OpenTelemetryTracer,
    PrometheusMetrics,
)


def observe(fact: Fact) -> None:
    if isinstance(fact, AttemptEnded):
        assert_type(fact.duration, float)


def too_picky(fact: AttemptEnded) -> None:
    raise AssertionError


@contextmanager
def trace(activity: Activity, parent: str | None) -> Generator[str | None]:
    yield parent


ExecutorOptions(observers=[observe, PrometheusMetrics(), OpenTelemetryMetrics()], tracer=trace)
ExecutorOptions(tracer=OpenTelemetryTracer())
ExecutorOptions(observers=[too_picky])  # type: ignore[list-item]  # pyright: ignore
ExecutorOptions(tracer=observe)  # type: ignore[arg-type]  # pyright: ignore
RPCLink("http://localhost", tracer=trace, observers=(observe,))
rpc.use(observe_calls(tracer=trace, observers=[observe]))


def metrics_of(executor: DurableExecutor) -> None:
    assert_type(executor.get_storage_metrics(), Mapping[str, StorageCallMetrics])


def traceback_of(error: StoredError) -> str | None:
    return error.traceback or None
