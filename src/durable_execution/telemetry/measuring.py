"""From facts to measurements: what each fact adds to which metric. Pure."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from durable_execution._observing import (
    AttemptEnded,
    AttemptLost,
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
from durable_execution.telemetry import catalog
from durable_execution.telemetry.catalog import Metric

_OK = "ok"
"""The code of a call that went well."""


class Measurement(NamedTuple):
    """One value for one metric, with its labels in the order of the catalog."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


def measurements_of(fact: Fact) -> tuple[Measurement, ...]:
    """Return what a fact adds to the metrics."""
    match fact:
        case TasksEnqueued() | ExecutionFinished() | ExecutionRescued():
            return _of_execution(fact)
        case AttemptStarted() | AttemptEnded() | AttemptLost():
            return _of_attempt(fact)
        case CallServed() | CallMade():
            return _of_call(fact)
        case LeaseEnded():
            return (Measurement(catalog.LEASES_ENDED, 1),)
        case LoopStalled():
            return (Measurement(catalog.LOOP_STALLS, 1),)
        case ExecutorSeen():
            return (
                Measurement(catalog.ATTEMPTS_RUNNING, fact.attempts_running),
                Measurement(catalog.ATTEMPTS_LIMIT, fact.attempts_limit),
                Measurement(catalog.QUEUE_AGE, fact.queue_age),
            )
        case BatchWritten():
            labels = (fact.verb,)
            return (
                Measurement(catalog.BATCH_SIZE, fact.size, labels),
                Measurement(catalog.BATCH_DURATION, fact.duration, labels),
            )
        case StorageCalled():
            took = Measurement(catalog.STORAGE_CALL_DURATION, fact.duration, (fact.verb,))
            if fact.error is None:
                return (took,)
            return took, Measurement(catalog.STORAGE_ERRORS, 1, (fact.verb, fact.error))
        case _:
            assert_never(fact)


def _of_execution(
    fact: TasksEnqueued | ExecutionFinished | ExecutionRescued,
) -> tuple[Measurement, ...]:
    match fact:
        case TasksEnqueued():
            return (Measurement(catalog.TASKS_ENQUEUED, fact.count, (fact.task_id,)),)
        case ExecutionFinished():
            return (
                Measurement(catalog.EXECUTIONS_FINISHED, 1, (fact.task_id, fact.status)),
                Measurement(catalog.EXECUTION_DURATION, fact.duration, (fact.task_id,)),
            )
        case ExecutionRescued():
            result = "given_up" if fact.is_given_up else "returned"
            return (Measurement(catalog.EXECUTIONS_RESCUED, 1, (fact.task_id, result)),)
        case _:
            assert_never(fact)


def _of_attempt(fact: AttemptStarted | AttemptEnded | AttemptLost) -> tuple[Measurement, ...]:
    labels = (fact.task_id,)
    match fact:
        case AttemptStarted():
            return (
                Measurement(catalog.ATTEMPTS_STARTED, 1, labels),
                Measurement(catalog.ATTEMPT_LAG, fact.lag, labels),
            )
        case AttemptEnded():
            return (
                Measurement(catalog.ATTEMPTS_ENDED, 1, (fact.task_id, fact.outcome)),
                Measurement(catalog.ATTEMPT_DURATION, fact.duration, labels),
            )
        case AttemptLost():
            return (Measurement(catalog.ATTEMPTS_LOST, 1, labels),)
        case _:
            assert_never(fact)


def _of_call(fact: CallServed | CallMade) -> tuple[Measurement, ...]:
    is_served = isinstance(fact, CallServed)
    count = catalog.CALLS_SERVED if is_served else catalog.CALLS_MADE
    took = catalog.CALL_SERVED_DURATION if is_served else catalog.CALL_MADE_DURATION
    return (
        Measurement(count, 1, (fact.procedure, fact.code or _OK)),
        Measurement(took, fact.duration, (fact.procedure,)),
    )
