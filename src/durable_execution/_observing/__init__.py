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
    TRACEPARENT_HEADER,
    Tracer,
    continuing,
    current_traceparent,
    is_traceparent,
    traced,
)

__all__ = [
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
    "current_traceparent",
    "is_traceparent",
    "told_to",
    "traced",
]
