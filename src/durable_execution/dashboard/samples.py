"""How a system did over the last hour: a ring of samples, and what a page of rows says of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from durable_execution._core.record import ExecutionRecord
from durable_execution.dashboard.figures import Figures

INTERVAL_MS: Final = 10_000
"""From one sample to the next."""
KEPT: Final = 360
"""Samples that are kept: those of one hour."""
_COUNTED_MS: Final = 60_000
"""What is counted is averaged over this time: counts are as old as the last beat."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast executions end, and how long they took, as the newest of them tell.

    Attributes:
        per_second: Executions that ended.
        is_least: Whether there were more than were looked at.
        median_ms: From the creation to the end; None when none ended.
        slow_ms: The same, of which 95 of 100 took less.
    """

    per_second: float
    is_least: bool
    median_ms: int | None
    slow_ms: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood at one instant, in milliseconds since the epoch."""

    at: int
    figures: Figures
    pace: Pace


class Samples:
    """The newest samples, in the order of time. Bounded."""

    def __init__(self, kept: int = KEPT) -> None:
        self._samples: deque[Sample] = deque(maxlen=kept)

    def add(self, sample: Sample) -> None:
        """Keep a sample, in the place of the oldest if there are as many as may be."""
        self._samples.append(sample)

    @property
    def newest(self) -> Sample | None:
        """The last that was taken."""
        return self._samples[-1] if self._samples else None

    def before(self, at: int) -> Sample | None:
        """The newest of an instant or before; of the younger ones the oldest, if there is none."""
        found = None
        for sample in self._samples:
            if found is None or sample.at <= at:
                found = sample
        return found

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)


def pace_of(finished: Sequence[ExecutionRecord], *, window_ms: int, is_all: bool) -> Pace:
    """Tell the pace from executions that ended within a window.

    Args:
        finished: Those, or the newest of them.
        window_ms: How long the window was.
        is_all: Whether none was left out.
    """
    ends = [record.finished_at for record in finished if record.finished_at is not None]
    if not ends:
        return Pace(0.0, is_least=not is_all, median_ms=None, slow_ms=None)
    # Where some were left out, the rest tells of the time that it covers itself.
    window = window_ms if is_all else max(1, max(ends) - min(ends))
    took = sorted(
        max(0, record.finished_at - record.created_at)
        for record in finished
        if record.finished_at is not None
    )
    return Pace(
        per_second=len(ends) * 1000 / window,
        is_least=not is_all,
        median_ms=_quantile(took, 0.5),
        slow_ms=_quantile(took, 0.95),
    )


def counted_pace(pace: Pace, samples: Samples, figures: Figures, *, at: int) -> Pace:
    """Tell the pace by what executors have counted, where there was more than was looked at.

    They count attempts, which is what there are many of then.
    """
    before = samples.before(at - _COUNTED_MS)
    if before is None or not pace.is_least:
        return pace
    known = before.figures.ended
    ended = sum(
        max(0, count - known.get(executor_id, 0)) for executor_id, count in figures.ended.items()
    )
    counted = ended * 1000 / (at - before.at)
    return pace if counted < pace.per_second else replace(pace, per_second=counted, is_least=False)


def _quantile(ordered: Sequence[int], part: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
