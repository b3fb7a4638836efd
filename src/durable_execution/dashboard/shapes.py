"""The shape of a message: what stays the same when the same thing fails again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from durable_execution._core.record import ExecutionRecord
from durable_execution.dashboard.spans import duration_of

MAX_SHAPE: Final = 300
_READ: Final = 2_000
"""Characters of a message that are looked at: the expressions below take linear time, still."""

_VARYING: Final = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "‹id›"),
    (re.compile(r"\b(?:te|de)_[0-9a-z]{6,}\b"), "‹id›"),
    (
        re.compile(
            r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
        ),
        "‹time›",
    ),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "‹address›"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "‹hex›"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b", re.IGNORECASE), "‹hex›"),
    (re.compile(r"'[^'\n]{1,200}'|\"[^\"\n]{1,200}\""), "‹text›"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "‹n›"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failures:
    """Executions of one task that failed alike, newest first."""

    task_id: str
    shape: str
    records: tuple[ExecutionRecord, ...]

    @property
    def newest(self) -> ExecutionRecord:
        """The one that was created last."""
        return self.records[0]

    @property
    def roots(self) -> list[str]:
        """The ids of the roots of their trees, which is what can be retried."""
        return list(
            dict.fromkeys(each.root_execution_id or each.execution_id for each in self.records)
        )

    @property
    def median_duration(self) -> int | None:
        """Milliseconds from the start of the last attempt to its end; None where none began."""
        durations = sorted(
            each for each in map(duration_of, self.records) if each is not None
        )  # fmt: skip
        return durations[len(durations) // 2] if durations else None


def shape_of(message: str) -> str:
    """Return the message with numbers, ids, times and quoted text replaced, bounded."""
    shape = " ".join(message[:_READ].split())
    for expression, name in _VARYING:
        shape = expression.sub(name, shape)
    return shape if len(shape) <= MAX_SHAPE else f"{shape[:MAX_SHAPE]}…"


def grouped(records: Iterable[ExecutionRecord]) -> list[Failures]:
    """Group failures by task and shape: the largest group first, then the one with the newest.

    Args:
        records: Newest first.
    """
    groups: dict[tuple[str, str], list[ExecutionRecord]] = {}
    for record in records:
        message = "" if record.error is None else record.error.message
        groups.setdefault((record.task_id, shape_of(message)), []).append(record)
    found = [Failures(task_id, shape, tuple(each)) for (task_id, shape), each in groups.items()]
    # Stable: groups of one size stay in the order of their newest.
    return sorted(found, key=lambda group: -len(group.records))
