"""What can be watched: facts, who hears of them, and the traces that everything is part of.

Pure but for two context variables. Both wings tell their facts here, and neither knows who listens.
"""

from __future__ import annotations

from durable_execution._observing.activities import (
    Activity,
    EnqueueTasks,
    MakeCall,
    RunAttempt,
    ServeCall,
)
from durable_execution._observing.attempts import AttemptNames, RunningAttempt, attempt_names
from durable_execution._observing.facts import (
    AttemptEnded,
    AttemptLost,
    AttemptOutcome,
    AttemptStarted,
    BatchWritten,
    CallMade,
    CallServed,
    ExecutionFinished,
    ExecutionRescued,
    ExecutorSeen,
    Fact,
    LeaseEnded,
    LoopStalled,
    StorageCalled,
    TasksEnqueued,
)
from durable_execution._observing.observers import Observer, told_to
from durable_execution._observing.traces import (
    BAGGAGE_HEADER,
    TRACEPARENT_HEADER,
    Tracer,
    continuing,
    current_baggage,
    current_trace,
    headers_of,
    parts_of,
    trace_in,
    traced,
)

__all__ = [
    "BAGGAGE_HEADER",
    "TRACEPARENT_HEADER",
    "Activity",
    "AttemptEnded",
    "AttemptLost",
    "AttemptNames",
    "AttemptOutcome",
    "AttemptStarted",
    "BatchWritten",
    "CallMade",
    "CallServed",
    "EnqueueTasks",
    "ExecutionFinished",
    "ExecutionRescued",
    "ExecutorSeen",
    "Fact",
    "LeaseEnded",
    "LoopStalled",
    "MakeCall",
    "Observer",
    "RunAttempt",
    "RunningAttempt",
    "ServeCall",
    "StorageCalled",
    "TasksEnqueued",
    "Tracer",
    "attempt_names",
    "continuing",
    "current_baggage",
    "current_trace",
    "headers_of",
    "parts_of",
    "told_to",
    "trace_in",
    "traced",
]
