"""Beginning a transaction again that others were in the way of."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from durable_execution.errors import StorageError

T = TypeVar("T")

TRIES: Final = 8
"""Times that a transaction is begun while others are in its way."""
_FIRST_PAUSE: Final = 0.005


async def past_conflicts(
    attempt: Callable[[], Awaitable[T]],
    *,
    driver_errors: tuple[type[Exception], ...],
    is_conflict: Callable[[Exception], bool],
    to_storage_error: Callable[[Exception], StorageError],
) -> T:
    """Return what an attempt comes to, the first that meets no conflict; pauses grow in between.

    Raises:
        StorageError: The attempt failed for another reason, or met conflicts all the time.
    """
    pause = _FIRST_PAUSE
    for tried in range(1, TRIES + 1):
        try:
            return await attempt()
        except driver_errors as error:
            if tried == TRIES or not is_conflict(error):
                raise to_storage_error(error) from error
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret
        pause *= 2
    raise AssertionError("unreachable: the last try returns or raises")
