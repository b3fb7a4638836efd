"""Hearing that others wrote: a connection that stands still until its bell is rung.

What comes while the bell is not manned is made good by one call after each manning. It is manned
again after a short rest, so that a busy fleet does not make everybody look for every row.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from durable_execution.errors import StorageUnavailableError
from durable_execution.storage.sql.mysql_bells import take_bell
from durable_execution.storage.sql.mysql_errors import DRIVER_ERRORS, to_storage_error

if TYPE_CHECKING:
    from durable_execution.storage.sql.mysql_connection import MySqlConnection

logger = logging.getLogger(__name__)

DOZE: Final = 60.0
"""Seconds after which the connection shows that it still lives."""
SHORTEST_REST: Final = 0.002
"""Seconds from one manning of the bell to the next at least."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
PAUSE_WITHOUT_BELL: Final = 60.0
"""Seconds until there may be a bell after all."""


class Listener:
    """Listens from construction to `stop`, on the running event loop.

    Args:
        connect: Opens a connection.
        names: The bells, of which it takes one that is free.
        on_change: Called on the event loop.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[MySqlConnection]],
        names: Sequence[str],
        on_change: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._names = names
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._is_cut = False
        self.pid: int | None = None
        """The server's number of the connection that hears, None while none does."""
        self._task = self._loop.create_task(self._run(), name="durable-mysql-listener")

    def stop(self) -> None:
        """End the listening; may be called again, from callbacks, and from a loop that ends."""
        self._task.cancel()

    async def close(self) -> None:
        """End the listening and wait for it."""
        self.stop()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                connection = await self._connect()
                try:
                    pause = FIRST_PAUSE
                    await self._hear(connection)
                finally:
                    self.pid = None
                    connection.terminate()
                pause = PAUSE_WITHOUT_BELL
            except DRIVER_ERRORS as error:
                if not self._is_cut:
                    logger.warning("the storage is not heard", extra={"error": str(error)})
                    self._is_cut = True
                if not isinstance(to_storage_error(error, ""), StorageUnavailableError):
                    pause = PAUSE_WITHOUT_BELL  # such as of a cluster that has no locks by name
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _hear(self, connection: MySqlConnection) -> None:
        """Listen until the connection fails; return if it has no bell."""
        if await take_bell(connection, self._names) is None:
            logger.info("no bell is free here, or a proxy hides it: changes are found by looking")
            return
        self.pid = connection.get_server_pid()
        while True:
            not_before = self._loop.time() + SHORTEST_REST
            await connection.doze(DOZE, self._manned)
            await asyncio.sleep(max(0, not_before - self._loop.time()))

    def _manned(self) -> None:
        if self._is_cut:
            self._is_cut = False
            logger.info("the storage is heard again")
        self._on_change()
