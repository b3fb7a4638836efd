"""The loop around every chore: pace, back-off and wake-up, written once."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Protocol

from durable_execution._engine.patience import Patience
from durable_execution._engine.wakeups import Wakeup
from durable_execution.errors import StorageUnavailableError

logger = logging.getLogger(__name__)


class Chore(Protocol):
    """One recurring piece of work."""

    name: str
    wakeup: Wakeup

    async def run_once(self) -> bool:
        """Do what is to be done now; return whether there may be more."""
        ...

    def pause(self) -> float:
        """Return the seconds until the next turn if nobody wakes the chore before."""
        ...


async def keep_doing(
    chore: Chore, stop: asyncio.Event, *, jitter: Callable[[], float] = random.random
) -> None:
    """Run a chore until `stop` is set (then wake it), never ending in the middle of a turn.

    A failing turn is logged once and tried again, ever slower.
    """
    patience = Patience(jitter)
    is_failing = False
    while not stop.is_set():
        try:
            is_more = await chore.run_once()
        except Exception as error:
            if not is_failing:
                is_expected = isinstance(error, StorageUnavailableError)
                logger.warning(
                    "chore failed, trying again",
                    exc_info=None if is_expected else error,
                    extra={"chore": chore.name, "error": str(error)},
                )
            is_failing = True
            await asyncio.sleep(patience.next_pause())
            continue
        if is_failing:
            logger.info("chore works again", extra={"chore": chore.name})
            is_failing = False
        patience.reset()
        if not is_more:
            await chore.wakeup.wait(timeout=chore.pause())
