"""From what the tasks router refused to the problem details of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from durable_execution._codec import DecodeError, loads
from durable_execution.remote.calls.names import (
    LIST_TASK_EXECUTIONS,
    WAKEUP_SLEEPING_TASK_EXECUTION,
)
from durable_execution.remote.rest.problems import (
    Headers,
    Issue,
    Path,
    Problem,
    body_issue,
    issues_in,
    parameter_issue,
)
from durable_execution.remote.rest.query import PARAMETERS

_PASSED_ON: Final = frozenset({"retry-after", "www-authenticate", "x-error-id"})


class Answered(Protocol):
    """An answer of the tasks router."""

    status: int
    headers: Headers
    body: bytes


def problem_of_answer(procedure: str, answer: Answered) -> Problem:
    """Tell a failure of the tasks router in the words of this door."""
    error = _error_in(answer.body)
    headers = tuple((name, text) for name, text in answer.headers if name in _PASSED_ON)
    if error is None:
        return Problem(
            answer.status, "NOT_FOUND", "The server has no such operation", headers=headers
        )
    data = error.get("data")
    issues = [issue_at(procedure, path, message) for path, message in issues_in(data)]
    facts = data if isinstance(data, Mapping) and not issues else None
    return Problem(
        answer.status, error["code"], error["message"], issues=issues, facts=facts, headers=headers
    )


def issue_at(procedure: str, path: Path, message: str) -> Issue:
    """Say what is wrong with a value of a call, by where this door has it."""
    first = str(path[0]) if path else ""
    if procedure == LIST_TASK_EXECUTIONS:
        return parameter_issue(PARAMETERS.get(first, first), message)
    if first in ("taskId", "executionId"):
        return parameter_issue(first, message)
    return body_issue(own_path(procedure, path), message)


def own_path(procedure: str, path: Path) -> Path:
    """Return where a value of a call is in the body; that of a wake-up has no `options`."""
    if procedure == WAKEUP_SLEEPING_TASK_EXECUTION and path[:1] == ("options",):
        return path[1:]
    return path


def _error_in(body: bytes) -> Any:
    try:
        error = loads(body)
    except DecodeError:
        return None
    return error if isinstance(error, dict) and "code" in error else None
