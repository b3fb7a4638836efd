"""A tree of executions on one axis of time: who waited, ran and waited for others, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args

from durable_execution._core.past import NO_PAST, Attempt, AttemptOutcome, Past, last_attempt
from durable_execution._core.record import ExecutionRecord

Phase = Literal[
    "earlier",
    "delayed",
    "queued",
    "failed",
    "crashed",
    "handed_back",
    "over",
    "running",
    "sleeping",
    "children",
    "finalize",
]
"""What an execution did for some time: attempts of which nothing is known with the pauses after
them, waiting for its start, for an executor, an attempt that failed, crashed or was handed back,
being over until somebody retried it, running, sleeping, waiting for its children, for its finalize
task."""
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)

MAX_LEVEL: Final = 12
"""Levels that are indented; deeper ones stand below one another."""
NO_PASTS: Final[Mapping[str, Past]] = MappingProxyType({})
_SHORTEST_AXIS_MS: Final = 10


_PHASE_OF: Final[Mapping[AttemptOutcome | None, Phase]] = {
    "failed": "failed",
    "timed_out": "failed",
    "cancelled": "failed",
    "crashed": "crashed",
    "handed_back": "handed_back",
}


class Stretch(NamedTuple):
    """What an execution did from one instant to another, in milliseconds since the epoch."""

    phase: Phase
    begin: int
    end: int
    is_open: bool
    """Whether it goes on."""
    attempt: Attempt | None = None
    """Which attempt it was, of several."""


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
    attempt: Attempt | None
    """Which attempt it was, of several."""

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


def timeline_of(
    records: Sequence[ExecutionRecord], *, pasts: Mapping[str, Past] = NO_PASTS, now: int
) -> Timeline:
    """Lay out the executions of one tree; those whose parent is not among them are roots."""
    begin = min(record.created_at for record in records)
    ends = [now if record.finished_at is None else record.finished_at for record in records]
    end = max(*ends, begin + _SHORTEST_AXIS_MS)
    branches = []
    for record, level in _in_order(records):
        stretches = stretches_of(record, past=pasts.get(record.execution_id, NO_PAST), now=now)
        spans = tuple(_span(each, begin, end) for each in stretches)
        branches.append(Branch(record, min(level, MAX_LEVEL), spans))
    return Timeline(begin, end, tuple(branches))


def stretches_of(record: ExecutionRecord, *, past: Past = NO_PAST, now: int) -> list[Stretch]:
    """Tell what an execution did, from when until when, and which attempt it was.

    Attempts that are not kept, because there were many or because an older release did not keep
    them, are one stretch with their pauses.
    """
    until = now if record.finished_at is None else record.finished_at
    begun: list[tuple[Phase, int, Attempt | None]] = []
    for phase, at, attempt in _beginnings(record, past):
        if at is not None and at <= until:
            # Instants are of several machines' clocks: none is before the one that it follows.
            begun.append((phase, max(at, begun[-1][1] if begun else at), attempt))
    found: list[Stretch] = []
    for place, (phase, at, attempt) in enumerate(begun):
        is_last = place + 1 == len(begun)
        end = until if is_last else begun[place + 1][1]
        if end > at or is_last or attempt is not None:
            is_open = is_last and record.finished_at is None
            found.append(Stretch(phase, at, end, is_open, attempt))
    return found


def totals_of(stretches: Iterable[Stretch]) -> list[tuple[Phase, int, bool]]:
    """Add up what an execution did: the milliseconds of each phase, and whether it goes on."""
    totals: dict[Phase, tuple[int, bool]] = {}
    for each in stretches:
        spent, _ = totals.get(each.phase, (0, False))
        totals[each.phase] = spent + each.end - each.begin, each.is_open
    return [(phase, spent, is_open) for phase, (spent, is_open) in totals.items()]


def _beginnings(
    record: ExecutionRecord, past: Past
) -> Iterator[tuple[Phase, int | None, Attempt | None]]:
    """Give what the execution did in its order, and when it began with that."""
    attempts = past.attempts
    is_cut = past.count > len(attempts) or (attempts and attempts[0].attempt > 0)
    if is_cut or (not attempts and (record.attempt or record.crash_count)):
        yield "earlier", record.created_at, None
    else:
        created_at = record.created_at
        start_at = created_at + record.sleep_before_run_ms if attempts else record.start_at
        yield "delayed" if start_at > created_at else "queued", created_at, None
        yield "queued", start_at, None
    for attempt, following in zip_longest(attempts, attempts[1:]):
        yield _PHASE_OF.get(attempt.outcome, "failed"), attempt.started_at, attempt
        yield from _pause(record, attempt, following)
    if not attempts:
        yield "queued", record.start_at, None
    last = last_attempt(record)
    phase: Phase = "sleeping" if record.sleeping_unique_id is not None else "running"
    if last is not None and last.outcome in ("failed", "timed_out", "crashed"):
        phase = _PHASE_OF[last.outcome]
    yield phase, record.started_at, last if past.count else None
    yield "children", record.waiting_for_children_at, None
    yield "finalize", record.waiting_for_finalize_at, None


def _pause(
    record: ExecutionRecord, attempt: Attempt, following: Attempt | None
) -> Iterator[tuple[Phase, int | None, None]]:
    """Give what came between an attempt and the next one, the last one if there is none."""
    ended_at = attempt.ended_at or attempt.started_at
    if attempt.outcome in ("crashed", "handed_back"):
        yield "queued", ended_at, None
        return
    number = record.attempt if following is None else following.attempt
    is_next = number == attempt.attempt + 1
    pause: Phase = "over" if number <= attempt.attempt else "earlier"
    yield "delayed" if is_next else pause, ended_at, None
    if following is None:
        yield "queued", record.start_at, None
    elif is_next:
        yield "queued", ended_at + record.retry.delay_ms(attempt.attempt), None


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


def _span(stretch: Stretch, begin: int, end: int) -> Span:
    whole = end - begin
    phase, first, last, is_open, attempt = stretch
    left, width = (first - begin) / whole, (last - first) / whole
    return Span(phase, first, last, left, width, is_open, attempt)


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
