"""What the trees of the property tests are made of: plans, and how Hypothesis draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

MAX_TURNS = 3
MAX_WIDTH = 3
DEPTH = 3


@dataclass(frozen=True)
class Work:
    """A plain task."""

    retries: int = 0


@dataclass(frozen=True)
class Sleeper:
    """A task that somebody outside wakes, or nobody."""


@dataclass(frozen=True)
class Fan:
    """A parent task with children in parallel and perhaps a finalize task."""

    children: tuple[Plan, ...]
    finalize: Plan | None
    retries: int = 0


@dataclass(frozen=True)
class Chain:
    """A sequence: each step's output is the next one's input."""

    steps: tuple[Plan, ...]


@dataclass(frozen=True)
class Loop:
    """A loop: one plan, turn after turn, until it is done or out of turns."""

    turn: Plan
    max_attempts: int


Plan: TypeAlias = Work | Sleeper | Fan | Chain | Loop

_WORK = st.builds(Work, retries=st.integers(0, 2))


def plans(depth: int = DEPTH) -> st.SearchStrategy[Plan]:
    """Draw a plan with at most `depth` parents above one another."""
    leaves: st.SearchStrategy[Plan] = st.one_of(_WORK, st.builds(Sleeper))
    if depth == 0:
        return leaves
    below = plans(depth - 1)
    return st.one_of(
        st.builds(
            Fan,
            children=st.lists(below, max_size=MAX_WIDTH).map(tuple),
            finalize=st.none() | below.filter(lambda plan: not isinstance(plan, Sleeper)),
            retries=st.integers(0, 1),
        ),
        st.builds(Chain, steps=st.lists(below, min_size=1, max_size=MAX_WIDTH).map(tuple)),
        st.builds(Loop, turn=below, max_attempts=st.integers(1, MAX_TURNS)),
        leaves,
    )
