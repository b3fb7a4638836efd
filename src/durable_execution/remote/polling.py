"""Waiting for something that can only be asked for: quickly at first, then at an even pace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

from durable_execution._core.limits import MAX_DURATION_MS, to_ms, wait_seconds
from durable_execution._waiting import now, sleep
from durable_execution._waiting import timeout as time_limit
from durable_execution.errors import DurableExecutionError

FoundT = TypeVar("FoundT")

FIRST_PAUSE: Final = 0.02
GROWTH: Final = 1.5
DEFAULT_INTERVAL: Final = 1.0
LOWEST_INTERVAL_MS: Final = 1
PATIENCE: Final = 30.0
"""Seconds for which failures that may pass, such as a server's restart, are waited out."""


class _Answer(Enum):
    WAITED = "waited"


WAITED: Final = _Answer.WAITED
"""What a question answers that took its time: it can be asked again without a pause."""
Waited: TypeAlias = Literal[_Answer.WAITED]


async def poll(
    ask: Callable[[], Awaitable[FoundT | Waited | None]],
    *,
    timeout: float | timedelta | None,
    interval: float | timedelta,
) -> FoundT:
    """Ask until there is an answer. Pauses grow from 20 ms to `interval`, except after `WAITED`.

    Retryable errors are waited out for 30 seconds in a row.

    Raises:
        TimeoutError: There was no answer within `timeout`.
        InvalidOptionError: A duration is out of bounds.
        DurableExecutionError: What `ask` raised.
    """
    longest = to_ms("polling_interval", interval, LOWEST_INTERVAL_MS, MAX_DURATION_MS) / 1000
    limit = None if timeout is None else wait_seconds(timeout)
    pause, failing_since = min(FIRST_PAUSE, longest), None
    async with time_limit(limit):
        while True:
            try:
                found = await ask()
                failing_since = None
            except DurableExecutionError as error:
                failing_since = failing_since or now()
                if not error.is_retryable or now() - failing_since > PATIENCE:
                    raise
                found = None
            if found is WAITED:
                pause = min(FIRST_PAUSE, longest)
                continue
            if found is not None:
                return found
            await sleep(pause)
            pause = min(pause * GROWTH, longest)
