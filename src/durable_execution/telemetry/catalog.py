"""Every metric, by name: the one list that both exporters, the docs and the dashboards go by.

Labels are bounded: ids of tasks, names of procedures, words of ours. Durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

_SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
_SHORT: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES: Final = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, as Prometheus calls it."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    unit: str = "1"


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"durable_execution_{name}_total", "counter", text, labels)


def _seconds(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Metric:
    return Metric(f"durable_execution_{name}_seconds", "histogram", text, labels, buckets, "s")


def _gauge(name: str, text: str, unit: str = "1") -> Metric:
    return Metric(f"durable_execution_{name}", "gauge", text, unit=unit)


TASKS_ENQUEUED: Final = _counter("tasks_enqueued", "Executions enqueued here.", "task")
ATTEMPTS_STARTED: Final = _counter("attempts_started", "Attempts begun here.", "task")
ATTEMPTS_ENDED: Final = _counter(
    "attempts_ended", "Attempts that ended here, by how.", "task", "outcome"
)
ATTEMPTS_LOST: Final = _counter(
    "attempts_lost", "Outcomes that came too late: the lease was lost.", "task"
)
ATTEMPT_LAG: Final = _seconds(
    "attempt_lag", "From when an attempt should have started until it was taken.", "task"
)
ATTEMPT_DURATION: Final = _seconds("attempt_duration", "How long attempts ran.", "task")
EXECUTIONS_FINISHED: Final = _counter(
    "executions_finished", "Executions that this executor finished, by status.", "task", "status"
)
EXECUTION_DURATION: Final = _seconds(
    "execution_duration", "From the enqueue to the finish, retries and children included.", "task"
)
EXECUTIONS_RESCUED: Final = _counter(
    "executions_rescued", "Executions taken from dead executors: returned, or given up.",
    "task", "result",
)  # fmt: skip
LEASES_ENDED: Final = _counter("leases_ended", "Leases that ran out for want of a beat.")
LOOP_STALLS: Final = _counter("loop_stalls", "Times the event loop did not answer.")
BATCH_SIZE: Final = Metric(
    "durable_execution_batch_size", "histogram", "Items of a flush.", ("verb",), _SIZES
)
BATCH_DURATION: Final = _seconds("batch_duration", "How long flushes took.", "verb", buckets=_SHORT)
STORAGE_CALL_DURATION: Final = _seconds(
    "storage_call_duration", "How long calls of the storage took.", "verb", buckets=_SHORT
)
STORAGE_ERRORS: Final = _counter(
    "storage_errors", "Calls of the storage that raised.", "verb", "error"
)
CALLS_SERVED: Final = _counter(
    "calls_served", "Calls of procedures answered, by error code.", "procedure", "code"
)
CALL_SERVED_DURATION: Final = _seconds(
    "call_served_duration", "How long procedures took to answer.", "procedure"
)
CALLS_MADE: Final = _counter(
    "calls_made", "Calls of remote procedures, by error.", "procedure", "code"
)
CALL_MADE_DURATION: Final = _seconds(
    "call_made_duration", "How long remote procedures took.", "procedure"
)
SERIES_DROPPED: Final = _counter(
    "series_dropped", "Measurements under the label 'other', because there were too many labels."
)
IS_HEALTHY: Final = _gauge("executor_healthy", "1 while the executor holds its lease.")
ATTEMPTS_RUNNING: Final = _gauge("attempts_running", "Attempts running here right now.")
ATTEMPTS_LIMIT: Final = _gauge("attempts_limit", "Attempts that may run here at the same time.")
QUEUE_AGE: Final = _gauge(
    "queue_age_seconds", "How long the oldest ready execution has waited, whoever may run it.", "s"
)

GAUGES: Final = (IS_HEALTHY, ATTEMPTS_RUNNING, ATTEMPTS_LIMIT, QUEUE_AGE)
"""What is so right now. A scrape asks the executor; others are told every few seconds."""
METRICS: Final = (
    *(TASKS_ENQUEUED, ATTEMPTS_STARTED, ATTEMPTS_ENDED, ATTEMPTS_LOST),
    *(ATTEMPT_LAG, ATTEMPT_DURATION, EXECUTIONS_FINISHED, EXECUTION_DURATION),
    *(EXECUTIONS_RESCUED, LEASES_ENDED, LOOP_STALLS),
    *(BATCH_SIZE, BATCH_DURATION, STORAGE_CALL_DURATION, STORAGE_ERRORS),
    *(CALLS_SERVED, CALL_SERVED_DURATION, CALLS_MADE, CALL_MADE_DURATION),
    *(SERIES_DROPPED, *GAUGES),
)
