"""Charts as geometry: points on a plane of fixed size, for a template to draw. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 600
HEIGHT: Final = 120
_STEPS: Final = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
_LONGEST_GAP: Final = 3.5
"""Intervals without a sample after which a line is broken: nobody was there to look."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, as paths of SVG.

    Attributes:
        path: The line, with breaks where nothing is known.
        area: What is below it.
        last: Its newest value.
    """

    name: str
    path: str
    area: str
    last: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Some lines over the same time, on the same scale, which begins at 0."""

    lines: tuple[Line, ...]
    top: float
    """The value at the upper edge."""


Points = Sequence[tuple[int, float | None]]
"""Instants in milliseconds, in order, and values; None where nothing is known."""


def chart_of(series: Sequence[tuple[str, Points]], *, begin: int, end: int, step: int) -> Chart:
    """Draw lines.

    Args:
        series: Names and points.
        begin: The instant at the left edge.
        end: The one at the right edge.
        step: Milliseconds between two points as a rule.
    """
    values = [value for _, points in series for _, value in points if value is not None]
    top = round_up(max(values, default=0.0))
    return Chart(
        tuple(_line(name, points, begin, end, step, top) for name, points in series), top
    )  # fmt: skip


def round_up(value: float) -> float:
    """Return the next of the steps below, times a power of ten, that is not below; at least 1."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _STEPS if step * power >= value)


def _line(name: str, points: Points, begin: int, end: int, step: int, top: float) -> Line:
    pieces: list[list[tuple[float, float]]] = []
    last_at: int | None = None
    for at, value in points:
        if value is None or not begin <= at <= end:
            continue
        if last_at is None or at - last_at > _LONGEST_GAP * step:
            pieces.append([])
        last_at = at
        x = (at - begin) / max(1, end - begin) * WIDTH
        pieces[-1].append((x, HEIGHT - min(value, top) / top * HEIGHT))
    known = [value for _, value in points if value is not None]
    return Line(
        name,
        path=" ".join(map(_path, pieces)),
        area=" ".join(map(_area, pieces)),
        last=known[-1] if known else None,
    )


def _path(piece: list[tuple[float, float]]) -> str:
    if len(piece) == 1:  # a dot, by the round ends of the stroke
        piece = piece * 2
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in piece)


def _area(piece: list[tuple[float, float]]) -> str:
    return f"{_path(piece)}V{HEIGHT}H{piece[0][0]:.1f}Z"
