"""Numbers, times and durations as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

PHASES: Final = {
    "earlier": "earlier attempts",
    "delayed": "waiting for its start",
    "queued": "waiting for an executor",
    "failed": "attempt that failed",
    "crashed": "attempt lost in a crash",
    "handed_back": "attempt handed back",
    "over": "over until it was retried",
    "running": "running",
    "sleeping": "sleeping",
    "children": "waiting for children",
    "finalize": "waiting for finalize",
}
"""What an execution does for some time; see `spans.Phase`."""

OUTCOME_STATUSES: Final = {
    "completed": "completed",
    "failed": "failed",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
    "crashed": "failed",
    "handed_back": "ready",
}
"""Statuses that look like how an attempt ended."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_THIN_SPACE: Final = "\u202f"
"""Apart, and never on two lines."""
_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def instant_of(milliseconds: int) -> datetime:
    """Return the instant; the last that a datetime can hold for what lies beyond."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return _LAST


def iso(milliseconds: int) -> str:
    """Write an instant for machines."""
    return instant_of(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock_time(milliseconds: int) -> str:
    """Write an instant for people, in UTC, to the second."""
    return instant_of(milliseconds).strftime("%Y-%m-%d %H:%M:%S")


def duration(milliseconds: float | None) -> str:
    """Write a duration with two or three digits that count, or a dash where there is none."""
    if milliseconds is None:
        return "–"
    if milliseconds < _SECOND:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 10 * _SECOND:
        return f"{milliseconds / _SECOND:.1f} s"
    if milliseconds < _MINUTE:
        return f"{milliseconds / _SECOND:.0f} s"
    if milliseconds < _HOUR:
        return _two(milliseconds, _MINUTE, "min", _SECOND, "s")
    if milliseconds < _DAY:
        return _two(milliseconds, _HOUR, "h", _MINUTE, "min")
    return _two(milliseconds, _DAY, "d", _HOUR, "h")


def number(value: float) -> str:
    """Write a number with its thousands apart, and fractions only where it is small."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}".replace(",", _THIN_SPACE)
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def percentage(fraction: float) -> str:
    """Write a part of the whole, 0 to 1, as an attribute of SVG."""
    return f"{fraction * 100:.3f}%"


def status_words(status: str) -> str:
    """Write a status for people."""
    return status.replace("_", " ")


def _two(milliseconds: float, large: int, large_name: str, small: int, small_name: str) -> str:
    whole = int(milliseconds // large)
    rest = int(milliseconds % large // small)
    return f"{whole} {large_name} {rest} {small_name}" if rest else f"{whole} {large_name}"
