"""The traceback of an attempt's exception, as it is stored: bounded, our own frames left out."""

from __future__ import annotations

from traceback import TracebackException
from types import TracebackType
from typing import Final

import msgspec

from durable_execution.errors import StoredError, bounded_text, to_stored_error

MAX_FRAMES: Final = 50
"""Frames that are kept of each exception, those nearest to it."""
MAX_LENGTH: Final = 10_000
MAX_CAUSE_LENGTH: Final = 1_000

_AROUND: Final = ("durable_execution", "asyncio", "concurrent")
"""Packages that stand between an executor and the code of a task."""


def stored_with_traceback(error: BaseException) -> StoredError:
    """Put an exception into its stored form, with where it came from and what it was caused by.

    Local variables are not looked at. Never raises, whatever the exception is like.
    """
    stored = to_stored_error(error)
    try:
        text = "".join(_formatted(error))
        cause = _cause_of(error)
    except Exception:  # raised by somebody's exception while it was looked at
        return stored
    return msgspec.structs.replace(
        stored,
        traceback=_cut(bounded_text(text, len(text))),
        cause=msgspec.UNSET if cause is None else bounded_text(cause, MAX_CAUSE_LENGTH),
    )


def _formatted(error: BaseException) -> list[str]:
    frames = error.__traceback__
    summary = TracebackException(
        type(error), error, _of_the_task(frames) or frames, limit=-MAX_FRAMES, compact=True
    )
    return list(summary.format())


def _of_the_task(frames: TracebackType | None) -> TracebackType | None:
    """Skip what leads to the code of the task: it is the same for all of them."""
    while frames is not None:
        package, _, _ = str(frames.tb_frame.f_globals.get("__name__", "")).partition(".")
        if package not in _AROUND:
            return frames
        frames = frames.tb_next
    return None


def _cause_of(error: BaseException) -> str | None:
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if cause is None:
        return None
    text = str(cause)
    name = type(cause).__name__
    return f"{name}: {text}" if text else name


def _cut(text: str) -> str:
    """Leave out the middle of what is too long: the end says what, the beginning where."""
    if len(text) <= MAX_LENGTH:
        return text
    head, tail = MAX_LENGTH // 5, MAX_LENGTH * 4 // 5
    return f"{text[:head]}\n… ({len(text) - head - tail} characters left out)\n{text[-tail:]}"
