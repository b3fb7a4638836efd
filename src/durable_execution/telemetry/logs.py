"""Log records that say which attempt they are about, as lines or as JSON."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final

from durable_execution._observing import attempt_names, current_trace

_STANDARD: Final = frozenset(
    (*logging.LogRecord("", 0, "", 0, "", None, None).__dict__, "message", "asctime", "taskName")
)
_UNWANTED: Final = frozenset({"color_message"})
"""What uvicorn adds for terminals."""


class AttemptFilter(logging.Filter):
    """Adds `task_id`, `execution_id`, `attempt` and `trace_id` to records of a running attempt.

        handler.addFilter(AttemptFilter())

    Put it on a handler, so that records of every logger get them: the task's own, this library's,
    and others'. What a record says itself is left. It lets everything through. Attempts that began
    before there was such a filter in the process are not named.
    """

    def __init__(self) -> None:
        super().__init__()
        attempt_names.are_wanted = True

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the names of the attempt."""
        attempt = attempt_names.current()
        facts: dict[str, object] = {}
        if attempt is not None:
            facts = {
                "task_id": attempt.task_id,
                "execution_id": attempt.execution_id,
                "attempt": attempt.attempt,
            }
        traceparent = current_trace.get()
        if traceparent is not None:
            facts["trace_id"] = traceparent.split("-")[1]
        for name, value in facts.items():
            record.__dict__.setdefault(name, value)
        return True


class LineFormatter(logging.Formatter):
    """Writes what a record carries in `extra` behind its message, as `name=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """Write the line, the traceback not included."""
        facts = [f"{name}={value!r}" for name, value in facts_of(record).items()]
        return " ".join([super().formatMessage(record), *facts])


class JSONFormatter(logging.Formatter):
    """Writes a record as one JSON object in one line, with what it carries in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the object; what JSON does not have is written as `repr` shows it."""
        entry: dict[str, Any] = {
            "time": _instant(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts_of(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry["error_type"] = record.exc_info[0].__name__
            entry["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = self.formatStack(record.stack_info)
        return json.dumps(entry, default=repr)


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what a record carries in `extra`."""
    return {
        name: value
        for name, value in record.__dict__.items()
        if name not in _STANDARD and name not in _UNWANTED
    }


def _instant(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
