"""The options of an executor, checked when they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from durable_execution._core.decisions import DEFAULT_MAX_CRASH_RECOVERIES
from durable_execution._core.limits import KIB, MAX_DURATION_MS, MIB, check_between, to_ms
from durable_execution._observing import Observer, Tracer
from durable_execution.errors import InvalidOptionError

MAX_CHILDREN: Final = 1000
SHORTEST_LEASE_MS: Final = 200
SHORTEST_RETENTION_MS: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutorOptions:
    """How an executor works. Durations are seconds or timedeltas.

    Args:
        max_concurrent_task_executions: Attempts at the same time, 0 to 100,000. With 0 the executor
            enqueues, waits and wakes up, but leaves the running to others on the same storage.
        max_threads: Threads for tasks that are plain functions, 1 to 1000; so many of them run at
            the same time. While they are short, a few more are claimed in advance.
        lease: Within this time after an executor died its executions run elsewhere, 0.2 to 3600.
        max_crash_recoveries: Times an execution is taken over from a dead executor before it
            is failed, 0 to 1000.
        loop_stall_timeout: An executor whose event loop has not answered for so long stops
            extending its lease, at most a day; 60 by default.
        poll_interval: Pause between looks for work that nobody announced, 0.05 to 60. Work that
            is enqueued anywhere is announced, also by other processes, so this is a safety net.
        shutdown_timeout: Time that running tasks get to end at shutdown before they are cancelled
            and handed back, at most an hour.
        retention: How long a finished execution is kept, from one second to a century; then it is
            deleted with all that is below it, its key and its tags. None, the default: for ever.
        max_children_per_task_execution: 1 to 1000.
        max_serialized_input_size: Bytes of an encoded input, 1 KiB to 10 MiB.
        max_serialized_output_size: Bytes of an encoded output, 1 KiB to 10 MiB.
        observers: Who hears of facts, such as `PrometheusMetrics()`; see
            `durable_execution.telemetry`. With nobody, no fact is made.
        tracer: Makes spans, such as `OpenTelemetryTracer()`. Without one, traces that come from
            elsewhere are still passed on.
        enable_storage_metrics: Measure the calls of the storage, for
            `DurableExecutor.get_storage_metrics`. Observers hear of them in any case.
        store_tracebacks: Keep the traceback and the cause of an exception with the error of its
            execution. Remote callers never see them. Source lines may hold secrets; values do not
            stand in them.

    Raises:
        InvalidOptionError: An option is out of its bounds.
    """

    max_concurrent_task_executions: int = 5000
    max_threads: int = 64
    lease: float | timedelta = 15
    max_crash_recoveries: int = DEFAULT_MAX_CRASH_RECOVERIES
    loop_stall_timeout: float | timedelta = 60
    poll_interval: float | timedelta = 10
    shutdown_timeout: float | timedelta = 15
    retention: float | timedelta | None = None
    max_children_per_task_execution: int = MAX_CHILDREN
    max_serialized_input_size: int = MIB
    max_serialized_output_size: int = MIB
    observers: Sequence[Observer] = ()
    tracer: Tracer | None = None
    enable_storage_metrics: bool = False
    store_tracebacks: bool = True

    def __post_init__(self) -> None:
        check = check_between
        check(
            "max_concurrent_task_executions",
            self.max_concurrent_task_executions,
            0,
            100_000,
            whole=True,
        )
        check("max_threads", self.max_threads, 1, 1000, whole=True)
        check("max_crash_recoveries", self.max_crash_recoveries, 0, 1000, whole=True)
        check(
            "max_children_per_task_execution",
            self.max_children_per_task_execution,
            1,
            MAX_CHILDREN,
            whole=True,
        )
        for name in ("max_serialized_input_size", "max_serialized_output_size"):
            check(name, getattr(self, name), KIB, 10 * MIB, whole=True)
        to_ms("lease", self.lease, SHORTEST_LEASE_MS, 3_600_000)
        to_ms("loop_stall_timeout", self.loop_stall_timeout, 100, 86_400_000)
        to_ms("poll_interval", self.poll_interval, 50, 60_000)
        to_ms("shutdown_timeout", self.shutdown_timeout, 0, 3_600_000)
        _ = self.retention_ms
        if not all(map(callable, self.observers)):
            raise InvalidOptionError(f"observers must be callable, got {self.observers!r}")
        if self.tracer is not None and not callable(self.tracer):
            raise InvalidOptionError(f"tracer must be callable, got {self.tracer!r}")

    @property
    def lease_ms(self) -> int:
        """The lease in milliseconds."""
        return to_ms("lease", self.lease, SHORTEST_LEASE_MS, 3_600_000)

    @property
    def retention_ms(self) -> int | None:
        """The retention in milliseconds, None without one."""
        if self.retention is None:
            return None
        return to_ms("retention", self.retention, SHORTEST_RETENTION_MS, MAX_DURATION_MS)


def seconds(value: float | timedelta) -> float:
    """Return a checked duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
