"""How long a call may take, as callers say it."""

from __future__ import annotations

import math
from datetime import timedelta

Timeout = float | timedelta | None
"""Seconds or a timedelta; None means no limit."""


def seconds_of(timeout: Timeout, name: str = "timeout") -> float | None:
    """The limit in seconds.

    Raises:
        TypeError: Neither a number, a timedelta nor None.
        ValueError: Not a finite number above zero.
    """
    if timeout is None:
        return None
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name}: expected seconds, a timedelta or None, got {timeout!r}")
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"{name}: expected more than zero seconds, or None, got {timeout!r}")
    return seconds
