"""From facts to measurements: what each fact adds to which metric. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

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

Measurement: TypeAlias = tuple[Metric, float, tuple[str, ...]]
"""One value for one metric, with its labels in the order of the catalog."""

_OK: Final = "ok"
"""The code of a call that went well."""


def measurements_of(fact: Fact) -> tuple[Measurement, ...]:
    """Return what a fact adds to the metrics."""
    return _MEASURES[type(fact)](fact)


def _enqueued(fact: TasksEnqueued) -> tuple[Measurement, ...]:
    return ((catalog.TASKS_ENQUEUED, fact.count, (fact.task_id,)),)


def _started(fact: AttemptStarted) -> tuple[Measurement, ...]:
    labels = (fact.task_id,)
    return (catalog.ATTEMPTS_STARTED, 1, labels), (catalog.ATTEMPT_LAG, fact.lag, labels)


def _ended(fact: AttemptEnded) -> tuple[Measurement, ...]:
    return (
        (catalog.ATTEMPTS_ENDED, 1, (fact.task_id, fact.outcome)),
        (catalog.ATTEMPT_DURATION, fact.duration, (fact.task_id,)),
    )


def _lost(fact: AttemptLost) -> tuple[Measurement, ...]:
    return ((catalog.ATTEMPTS_LOST, 1, (fact.task_id,)),)


def _finished(fact: ExecutionFinished) -> tuple[Measurement, ...]:
    return (
        (catalog.EXECUTIONS_FINISHED, 1, (fact.task_id, fact.status)),
        (catalog.EXECUTION_DURATION, fact.duration, (fact.task_id,)),
    )


def _rescued(fact: ExecutionRescued) -> tuple[Measurement, ...]:
    result = "given_up" if fact.is_given_up else "returned"
    return ((catalog.EXECUTIONS_RESCUED, 1, (fact.task_id, result)),)


def _lease_ended(_: LeaseEnded) -> tuple[Measurement, ...]:
    return ((catalog.LEASES_ENDED, 1, ()),)


def _stalled(_: LoopStalled) -> tuple[Measurement, ...]:
    return ((catalog.LOOP_STALLS, 1, ()),)


def _seen(fact: ExecutorSeen) -> tuple[Measurement, ...]:
    return (
        (catalog.ATTEMPTS_RUNNING, fact.attempts_running, ()),
        (catalog.ATTEMPTS_LIMIT, fact.attempts_limit, ()),
        (catalog.QUEUE_AGE, fact.queue_age, ()),
    )


def _written(fact: BatchWritten) -> tuple[Measurement, ...]:
    labels = (fact.verb,)
    return (catalog.BATCH_SIZE, fact.size, labels), (catalog.BATCH_DURATION, fact.duration, labels)


def _storage_called(fact: StorageCalled) -> tuple[Measurement, ...]:
    took = (catalog.STORAGE_CALL_DURATION, fact.duration, (fact.verb,))
    if fact.error is None:
        return (took,)
    return took, (catalog.STORAGE_ERRORS, 1, (fact.verb, fact.error))


def _served(fact: CallServed) -> tuple[Measurement, ...]:
    return (
        (catalog.CALLS_SERVED, 1, (fact.procedure, fact.code or _OK)),
        (catalog.CALL_SERVED_DURATION, fact.duration, (fact.procedure,)),
    )


def _made(fact: CallMade) -> tuple[Measurement, ...]:
    return (
        (catalog.CALLS_MADE, 1, (fact.procedure, fact.code or _OK)),
        (catalog.CALL_MADE_DURATION, fact.duration, (fact.procedure,)),
    )


_MEASURES: Final[dict[type[Fact], Callable[[Any], tuple[Measurement, ...]]]] = {
    TasksEnqueued: _enqueued,
    AttemptStarted: _started,
    AttemptEnded: _ended,
    AttemptLost: _lost,
    ExecutionFinished: _finished,
    ExecutionRescued: _rescued,
    LeaseEnded: _lease_ended,
    LoopStalled: _stalled,
    ExecutorSeen: _seen,
    BatchWritten: _written,
    StorageCalled: _storage_called,
    CallServed: _served,
    CallMade: _made,
}
"""A table, because several facts are told of every task: a chain of cases is five times as slow."""
