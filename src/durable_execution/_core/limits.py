"""The bounds of everything a user may set, and the checks that name the option that broke them."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

from durable_execution.errors import InvalidOptionError

MAX_TASK_ID_LENGTH: Final = 255
MAX_SLEEPING_ID_LENGTH: Final = 255
MAX_EXECUTION_ID_LENGTH: Final = 64
MAX_IDEMPOTENCY_KEY_LENGTH: Final = 255
TRACEPARENT_LENGTH: Final = 55
TRACE_LENGTH: Final = TRACEPARENT_LENGTH + 1 + 512
"""A `traceparent`, a space, and the `tracestate` that everybody has to pass on."""
MAX_TAGS: Final = 16
MAX_TAG_NAME_LENGTH: Final = 64
MAX_TAG_VALUE_LENGTH: Final = 255
MAX_SHOWN_LENGTH: Final = 300
"""Characters of a bad value that an error message repeats."""
MAX_RETRIES: Final = 1000
MAX_LOOP_ATTEMPTS: Final = 1_000_000
MAX_BASE_DELAY_MS: Final = 3_600_000
MIN_DELAY_MULTIPLIER: Final = 0.1
MAX_DELAY_MULTIPLIER: Final = 10.0
MAX_MAX_DELAY_MS: Final = 86_400_000
MAX_DURATION_MS: Final = 100 * 365 * 86_400_000
"""The longest sleep or timeout: a century, so that every instant stays a valid date."""
DEFAULT_TIMEOUT_MS: Final = 300_000
KIB: Final = 1024
MIB: Final = 1024 * 1024

_TASK_ID = re.compile(r"[A-Za-z0-9_]+")


def check_task_id(task_id: str) -> str:
    """Return the id, or raise InvalidOptionError: letters, digits and underscores, 1 to 255."""
    if not isinstance(task_id, str):
        raise InvalidOptionError(f"task id must be a string, got {_short(task_id)}")
    if not 1 <= len(task_id) <= MAX_TASK_ID_LENGTH or not _TASK_ID.fullmatch(task_id):
        raise InvalidOptionError(
            f"task id must be 1 to {MAX_TASK_ID_LENGTH} letters, digits or underscores, "
            f"got {_short(task_id)}"
        )
    return task_id


def check_between(name: str, value: float, low: float, high: float, *, whole: bool = False) -> None:
    """Raise InvalidOptionError unless `low <= value <= high`, naming the option and the bounds."""
    kinds: tuple[type, ...] = (int,) if whole else (int, float)
    is_number = type(value) in kinds  # not isinstance: a bool is no number here
    if not is_number or not low <= value <= high:
        what = "a whole number" if whole else "a number"
        raise InvalidOptionError(
            f"{name} must be {what} from {low:.15g} to {high:.15g}, got {_short(value)}"
        )


def to_ms(name: str, value: float | timedelta, low_ms: int, high_ms: int) -> int:
    """Turn seconds or a timedelta into whole milliseconds, rounded up, within the bounds.

    Raises:
        InvalidOptionError: The value is no duration, or is out of bounds.
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif type(value) in (int, float):  # not isinstance: a bool is no duration
        seconds = value
    else:
        raise InvalidOptionError(f"{name} must be seconds or a timedelta, got {_short(value)}")
    is_near = abs(seconds) <= high_ms  # neither NaN nor beyond what floats can multiply
    milliseconds = math.ceil(round(seconds * 1000, 3)) if is_near else -1
    if not low_ms <= milliseconds <= high_ms:
        raise InvalidOptionError(
            f"{name} must be from {low_ms / 1000:.15g} to {high_ms / 1000:.15g} seconds, "
            f"got {_short(value)}"
        )
    return milliseconds


def wait_seconds(timeout: float | timedelta) -> float:
    """Turn how long somebody waits at most into seconds; a time that is over already is none.

    So that what is left until a deadline may be handed on as it comes out.

    Raises:
        InvalidOptionError: It is no duration, or is out of bounds.
    """
    if isinstance(timeout, timedelta):
        is_over = timeout < timedelta(0)
    else:
        is_over = type(timeout) in (int, float) and timeout < 0
    return 0.0 if is_over else to_ms("timeout", timeout, 0, MAX_DURATION_MS) / 1000


def _short(value: object) -> str:
    """Show a value that may be of any size."""
    try:
        text = repr(value)
    except ValueError:  # an integer too long for Python to print
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else "?"
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}…"
