"""Which procedure of the tasks router a method and a path mean. Pure.

POST  /tasks/{taskId}/executions                          enqueueTask
GET   /tasks/{taskId}/executions                          listTaskExecutions, of this task
GET   /tasks/{taskId}/executions/{executionId}            getTaskExecution
GET   /tasks/{taskId}/executions/{executionId}?wait=…     waitTaskExecution
POST  /tasks/{taskId}/executions/{executionId}/cancel     cancelTaskExecution
POST  /tasks/{taskId}/wakeup                              wakeupSleepingTaskExecution
POST  /executions                                         enqueueTasks
GET   /executions                                         listTaskExecutions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from durable_execution.remote.calls.names import (
    CANCEL_TASK_EXECUTION,
    ENQUEUE_TASK,
    ENQUEUE_TASKS,
    GET_TASK_EXECUTION,
    LIST_TASK_EXECUTIONS,
    WAIT_TASK_EXECUTION,
    WAKEUP_SLEEPING_TASK_EXECUTION,
)
from durable_execution.remote.rest.problems import Problem, body_issue, header_issue
from durable_execution.remote.rest.query import list_filters, wait_ms

IDEMPOTENCY_KEY: Final = "idempotency-key"

Names: TypeAlias = Mapping[str, str]
"""What stands in the place of the names in a path."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as an operation looks at it."""

    names: Names
    query: str
    body: object
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the tasks router."""

    procedure: str
    input: object


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method at one place does."""

    call: Callable[[Asked], Call]
    reads_body: bool = False
    creates: str | None = None
    """What the answer calls the ids of the executions that were made."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: operations by method, and the names on the way."""

    operations: Mapping[str, Operation]
    names: Names

    def operation(self, method: str) -> Operation:
        """Return what a method does here. HEAD is GET without the body of the answer.

        Raises:
            Problem: 405, with the methods that there are.
        """
        found = self.operations.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = ", ".join(self.operations)
            raise Problem.of("METHOD_NOT_SUPPORTED", headers=(("allow", allowed),))
        return found


def find_place(segments: Sequence[str]) -> Place:
    """Find where a decoded path leads.

    Raises:
        Problem: 404, nowhere.
    """
    for pattern, operations in _PLACES:
        names = _matched(pattern, segments)
        if names is not None:
            return Place(operations, names)
    raise Problem.of("NOT_FOUND", "There is nothing at this path")


def _matched(pattern: Sequence[str], segments: Sequence[str]) -> Names | None:
    if len(pattern) != len(segments):
        return None
    names: dict[str, str] = {}
    for part, segment in zip(pattern, segments, strict=True):
        if part.startswith("{"):
            names[part[1:-1]] = segment
        elif part != segment:
            return None
    return names


def _enqueue(asked: Asked) -> Call:
    given = _object(asked.body)
    call: dict[str, object] = {"taskId": asked.names["taskId"]}
    call |= {name: given[name] for name in ("input", "options") if name in given}
    if asked.idempotency_key is not None:
        given_options = call.get("options")
        options = _object({} if given_options is None else given_options, "options")
        if "idempotencyKey" in options:
            problem = "was given in the options, too"
            raise Problem.misfit(header_issue("Idempotency-Key", problem))
        call["options"] = {**options, "idempotencyKey": asked.idempotency_key}
    return Call(ENQUEUE_TASK, call)


def _enqueue_many(asked: Asked) -> Call:
    if asked.idempotency_key is not None:
        problem = "is for one task; give each of these a key in its options"
        raise Problem.misfit(header_issue("Idempotency-Key", problem))
    return Call(ENQUEUE_TASKS, {"tasks": _object(asked.body).get("tasks")})


def _look(asked: Asked) -> Call:
    timeout_ms = wait_ms(asked.query)
    if timeout_ms is None:
        return Call(GET_TASK_EXECUTION, dict(asked.names))
    return Call(WAIT_TASK_EXECUTION, {**asked.names, "timeoutMs": timeout_ms})


def _list(asked: Asked) -> Call:
    return Call(LIST_TASK_EXECUTIONS, list_filters(asked.query, asked.names.get("taskId")))


def _cancel(asked: Asked) -> Call:
    return Call(CANCEL_TASK_EXECUTION, dict(asked.names))


def _wake_up(asked: Asked) -> Call:
    given = dict(_object(asked.body))
    unique_id = given.pop("sleepingTaskUniqueId", None)
    call = {**asked.names, "sleepingTaskUniqueId": unique_id, "options": given}
    return Call(WAKEUP_SLEEPING_TASK_EXECUTION, call)


def _object(value: object, *path: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Problem.misfit(body_issue(path, "expected an object"))
    return value


_PLACES: Final[Sequence[tuple[Sequence[str], Mapping[str, Operation]]]] = (
    (
        ("tasks", "{taskId}", "executions"),
        {
            "GET": Operation(_list),
            "POST": Operation(_enqueue, reads_body=True, creates="executionId"),
        },
    ),
    (("tasks", "{taskId}", "executions", "{executionId}"), {"GET": Operation(_look)}),
    (("tasks", "{taskId}", "executions", "{executionId}", "cancel"), {"POST": Operation(_cancel)}),
    (("tasks", "{taskId}", "wakeup"), {"POST": Operation(_wake_up, reads_body=True)}),
    (
        ("executions",),
        {
            "GET": Operation(_list),
            "POST": Operation(_enqueue_many, reads_body=True, creates="executionIds"),
        },
    ),
)
