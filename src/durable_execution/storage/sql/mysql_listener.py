"""Hearing that others wrote: a connection that stands still until its bell is rung.

What comes while the bell is not manned is made good by one call after each manning. It is manned
again after a short rest, so that a busy fleet does not make everybody look for every row.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from durable_execution.errors import StorageUnavailableError
from durable_execution.storage.sql.hearing import Hearing
from durable_execution.storage.sql.mysql_bells import take_bell
from durable_execution.storage.sql.mysql_errors import DRIVER_ERRORS, to_storage_error

if TYPE_CHECKING:
    from durable_execution.storage.sql.mysql_connection import MySqlConnection

logger = logging.getLogger(__name__)

DOZE: Final = 60.0
"""Seconds after which the connection shows that it still lives."""
SHORTEST_REST: Final = 0.002
"""Seconds from one manning of the bell to the next at least."""


class Listener(Hearing["MySqlConnection"]):
    """Hears while it holds one of the bells that is free.

    Args:
        connect: As in `Hearing`.
        names: The bells.
        on_change: As there.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[MySqlConnection]],
        names: Sequence[str],
        on_change: Callable[[], None],
    ) -> None:
        self._names = names
        self.pid: int | None = None
        """The server's number of the connection that hears, None while none does."""
        super().__init__(connect, on_change, errors=DRIVER_ERRORS, name="durable-mysql-listener")

    async def _hear(self, connection: MySqlConnection) -> None:
        if await take_bell(connection, self._names) is None:
            logger.info("no bell is free here, or a proxy hides it: changes are found by looking")
            return
        self.pid = connection.get_server_pid()
        try:
            while True:
                not_before = self._loop.time() + SHORTEST_REST
                await connection.doze(DOZE, self._manned)
                await asyncio.sleep(max(0, not_before - self._loop.time()))
        finally:
            self.pid = None

    def _manned(self) -> None:
        self._hears()
        self._on_change()

    def _will_last(self, error: Exception) -> bool:
        # Such as of a cluster that has no locks by name.
        return not isinstance(to_storage_error(error, ""), StorageUnavailableError)
