"""A tree of executions on one axis of time: who waited, ran and waited for others, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from durable_execution._core.record import ExecutionRecord

Phase = Literal["earlier", "delayed", "queued", "running", "sleeping", "children", "finalize"]
"""What an execution did for some time: its earlier attempts and the pauses after them, waiting for
its start, for an executor, running, sleeping, waiting for its children, for its finalize task."""
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)

MAX_LEVEL: Final = 12
"""Levels that are indented; deeper ones stand below one another."""
_SHORTEST_AXIS_MS: Final = 10


@dataclass(frozen=True, slots=True)
class Span:
    """Some time that an execution spent, in milliseconds since the epoch and parts of the axis."""

    phase: Phase
    begin: int
    end: int
    left: float
    width: float
    is_open: bool
    """Whether it goes on."""

    @property
    def duration(self) -> int:
        """Milliseconds."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Branch:
    """One execution of a tree."""

    record: ExecutionRecord
    level: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The executions of a tree from the root down, each before its children."""

    begin: int
    end: int
    branches: tuple[Branch, ...]

    @property
    def duration(self) -> int:
        """Milliseconds from the first creation to the last change, or to now."""
        return self.end - self.begin


def timeline_of(records: Sequence[ExecutionRecord], *, now: int) -> Timeline:
    """Lay out the executions of one tree; those whose parent is not among them are roots."""
    begin = min(record.created_at for record in records)
    ends = [now if record.finished_at is None else record.finished_at for record in records]
    end = max(*ends, begin + _SHORTEST_AXIS_MS)
    branches = tuple(
        Branch(record, min(level, MAX_LEVEL), _spans(record, begin, end, now))
        for record, level in _in_order(records)
    )
    return Timeline(begin, end, branches)


def phases_of(record: ExecutionRecord, *, now: int) -> list[tuple[Phase, int, int, bool]]:
    """Tell what an execution did, from when, until when, and whether it goes on.

    Of earlier attempts nothing is kept but their number: they are one phase, with their pauses.
    """
    until = now if record.finished_at is None else record.finished_at
    phases: list[tuple[Phase, int | None]] = [
        (_first_phase(record), record.created_at),
        ("queued", record.start_at),
        ("sleeping" if record.sleeping_unique_id is not None else "running", record.started_at),
        ("children", record.waiting_for_children_at),
        ("finalize", record.waiting_for_finalize_at),
    ]
    begun: list[tuple[Phase, int]] = []
    for phase, at in phases:
        if at is not None and at <= until:
            # Instants are of several machines' clocks: none is before the one that it follows.
            begun.append((phase, max(at, begun[-1][1] if begun else at)))
    found: list[tuple[Phase, int, int, bool]] = []
    for place, (phase, at) in enumerate(begun):
        is_last = place + 1 == len(begun)
        end = until if is_last else begun[place + 1][1]
        if end > at or is_last:
            found.append((phase, at, end, is_last and record.finished_at is None))
    return found


def _first_phase(record: ExecutionRecord) -> Phase:
    if record.attempt or record.crash_count:
        return "earlier"
    return "delayed" if record.start_at > record.created_at else "queued"


def duration_of(record: ExecutionRecord) -> int | None:
    """Milliseconds from the start of the last attempt to the end; None unless both were."""
    if record.started_at is None or record.finished_at is None:
        return None
    return max(0, record.finished_at - record.started_at)


def wait_of(record: ExecutionRecord) -> int | None:
    """Milliseconds from when the last attempt could start to when it did; None if it did not."""
    if record.started_at is None or record.is_sleeping:
        return None
    return max(0, record.started_at - record.start_at)


def _spans(record: ExecutionRecord, begin: int, end: int, now: int) -> tuple[Span, ...]:
    whole = end - begin
    return tuple(
        Span(phase, first, last, (first - begin) / whole, (last - first) / whole, is_open)
        for phase, first, last, is_open in phases_of(record, now=now)
    )


def _in_order(records: Sequence[ExecutionRecord]) -> Iterator[tuple[ExecutionRecord, int]]:
    """Give each execution and its depth, parents first. Iterative: trees may be deep."""
    ids = {record.execution_id for record in records}
    children: dict[str | None, list[ExecutionRecord]] = {}
    for record in records:
        parent = record.parent_execution_id
        children.setdefault(parent if parent in ids else None, []).append(record)
    stack = [(record, 0) for record in _last_first(children.get(None, ()))]
    while stack:
        record, level = stack.pop()
        yield record, level
        below = children.get(record.execution_id, ())
        stack += [(child, level + 1) for child in _last_first(below)]


def _last_first(records: Iterable[ExecutionRecord]) -> list[ExecutionRecord]:
    return sorted(
        records, key=lambda each: (each.is_finalize, each.index_in_parent), reverse=True
    )  # fmt: skip
