"""What a workload is: sides that are measured in turns, and figures of which goals are asked."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.place import Place
from bench.storages import STORAGES

Measures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Of:
    """A figure that one side measures."""

    side: str
    name: str


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound of the ratio of ours to the floor."""

    bound: float
    kind: Literal["at least", "at most"]

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.bound if self.kind == "at least" else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.kind == 'at least' else '≤'} {self.bound:g}"


def at_least(bound: float) -> Goal:
    return Goal(bound, "at least")


def at_most(bound: float) -> Goal:
    return Goal(bound, "at most")


def on(storages: Iterable[str], goal: Goal) -> dict[str, Goal]:
    """Ask the same of several storages."""
    return dict.fromkeys(storages, goal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Ours beside a floor: what another side measures, or a constant."""

    metric: str
    unit: str
    ours: Of
    floor: Of | float
    goals: Mapping[str, Goal] = field(default_factory=dict)
    """By storage; where there is none, the figure is for information."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One row of the table of goals."""

    number: int
    title: str
    sides: Sequence[str]
    figures: Sequence[Figure]
    measure: Callable[[str, Place], Coroutine[Any, Any, Measures]]
    """Measures one side, in a process of its own and on an empty storage."""
    storages: Sequence[str] = STORAGES
    rounds: int | None = None
    """How often it is measured, where that is not for the one who measures to say."""
    needs_extensions: bool = False
    """Whether PostgreSQL must be one that has `pg_stat_statements` and `pgstattuple`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rounds of a figure came to."""

    ours: float
    floor: float
    ratio: float
    """The median of the ratios, each of two measurements of one round."""
    lowest: float
    highest: float


def outcome_of(figure: Figure, rounds: Sequence[Mapping[str, Measures]]) -> Outcome | None:
    """Return medians, or nothing where a storage does not measure this."""
    pairs = []
    for sides in rounds:
        ours = sides[figure.ours.side].get(figure.ours.name)
        floor: float | None
        if isinstance(figure.floor, Of):
            floor = sides[figure.floor.side].get(figure.floor.name)
        else:
            floor = figure.floor
        if ours is None or floor is None:
            return None
        pairs.append((ours, floor))
    ratios = [ours / floor for ours, floor in pairs]
    return Outcome(
        statistics.median(ours for ours, _ in pairs),
        statistics.median(floor for _, floor in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )
