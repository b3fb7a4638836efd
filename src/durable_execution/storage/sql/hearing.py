"""The life of a connection that hears: made, lost, and made again, ever later while it fails.

What comes while there is none is made good by one call after each making, as the dialect sees fit.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
REST: Final = 60.0
"""Seconds until there may be something to hear after all, where there was nothing."""


class Ear(Protocol):
    """A connection, as far as its life goes."""

    def terminate(self) -> None:
        """Cut the connection."""
        ...


EarT = TypeVar("EarT", bound=Ear)


class Hearing(ABC, Generic[EarT]):
    """Hears from construction to `stop`, on the running event loop.

    Args:
        connect: Opens a connection.
        on_change: Called on the event loop.
        errors: What connections fail with.
        name: Of the asyncio task.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[EarT]],
        on_change: Callable[[], None],
        *,
        errors: tuple[type[Exception], ...],
        name: str,
    ) -> None:
        self._connect = connect
        self._on_change = on_change
        self._errors = errors
        self._is_cut = False
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name=name)

    def stop(self) -> None:
        """End the hearing; may be called again, from callbacks, and from a loop that ends."""
        self._task.cancel()

    async def close(self) -> None:
        """End the hearing and wait for it."""
        self.stop()
        with suppress(asyncio.CancelledError):
            await self._task

    @abstractmethod
    async def _hear(self, connection: EarT) -> None:
        """Call `_hears` once it does, and hear until the connection fails.

        Returns where there is nothing to hear, and is called again after a rest.
        """

    def _hears(self) -> None:
        """Take note that it hears, perhaps again."""
        if self._is_cut:
            self._is_cut = False
            logger.info("the storage is heard again")

    def _lost(self) -> None:
        """It does not hear, and did before, or is new."""

    def _will_last(self, error: Exception) -> bool:
        """Whether there is no use in trying again soon."""
        del error
        return False

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                connection = await self._connect()
                try:
                    pause = FIRST_PAUSE
                    await self._hear(connection)
                finally:
                    connection.terminate()
                pause = REST
            except self._errors as error:
                if not self._is_cut:
                    self._is_cut = True
                    logger.warning("the storage is not heard", extra={"error": str(error)})
                    self._lost()
                if self._will_last(error):
                    pause = REST
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
