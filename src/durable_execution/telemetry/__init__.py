"""The door for who runs the system: facts and those who hear them, traces, metrics and logs.

Loads no engine, and OpenTelemetry only when one of its classes is made.
"""

from __future__ import annotations

from durable_execution._observing import (
    Activity,
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    BatchWritten,
    CallMade,
    CallServed,
    EnqueueTasks,
    ExecutionFinished,
    ExecutionRescued,
    ExecutorSeen,
    Fact,
    LeaseEnded,
    LoopStalled,
    MakeCall,
    Observer,
    RunAttempt,
    ServeCall,
    StorageCalled,
    TasksEnqueued,
    Tracer,
)
from durable_execution.telemetry.catalog import METRICS, Metric
from durable_execution.telemetry.logging_observer import LoggingObserver
from durable_execution.telemetry.logs import AttemptFilter, JSONFormatter, LineFormatter
from durable_execution.telemetry.opentelemetry_metrics import OpenTelemetryMetrics
from durable_execution.telemetry.opentelemetry_tracer import OpenTelemetryTracer
from durable_execution.telemetry.prometheus import PrometheusMetrics

__all__ = [
    "METRICS",
    "Activity",
    "AttemptEnded",
    "AttemptFilter",
    "AttemptLost",
    "AttemptStarted",
    "BatchWritten",
    "CallMade",
    "CallServed",
    "EnqueueTasks",
    "ExecutionFinished",
    "ExecutionRescued",
    "ExecutorSeen",
    "Fact",
    "JSONFormatter",
    "LeaseEnded",
    "LineFormatter",
    "LoggingObserver",
    "LoopStalled",
    "MakeCall",
    "Metric",
    "Observer",
    "OpenTelemetryMetrics",
    "OpenTelemetryTracer",
    "PrometheusMetrics",
    "RunAttempt",
    "ServeCall",
    "StorageCalled",
    "TasksEnqueued",
    "Tracer",
]
