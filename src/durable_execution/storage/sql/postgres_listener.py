"""Hearing that others wrote: LISTEN on a connection of its own, which is made again when cut.

Notifications are bundled: the first is passed on at once, what comes soon after it together. The
more there are the longer is what counts as soon: two processes that take turns hear one another at
once, and a busy fleet does not make everybody look for every row.
Whatever was missed while nobody listened is made good by one call after each connecting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from durable_execution.storage.sql.hearing import Hearing
from durable_execution.storage.sql.postgres_connection import quoted
from durable_execution.storage.sql.postgres_errors import DRIVER_ERRORS
from durable_execution.storage.sql.postgres_schema import CHANNEL

if TYPE_CHECKING:
    from durable_execution.storage.sql.postgres_connection import Connection

SHORTEST_BUNDLE: Final = 0.002
LONGEST_BUNDLE: Final = 0.005
"""Seconds between two calls at least: twice as many each time that much came meanwhile."""
_MUCH: Final = 2
"""Notifications; of two processes that take turns there is one at a time."""
CHECK_INTERVAL: Final = 20.0
"""Seconds between questions whether the connection still hears; a cut cable says nothing."""
CHECK_TIMEOUT: Final = 5.0
_TABLE: Final = "SELECT $1::text::regclass::oid::text"


class Listener(Hearing["Connection"]):
    """Hears while it listens to the channel of a table.

    Args:
        connect: As in `Hearing`.
        is_own: Whether a server process is one of ours, whose notifications are no news.
        on_change: As there.
        table: The table of executions.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        is_own: Callable[[int], bool],
        on_change: Callable[[], None],
        *,
        table: str,
    ) -> None:
        self._table = table
        self._is_own = is_own
        self._timer: asyncio.TimerHandle | None = None
        self._late = 0
        """How many have come since the last call."""
        self._bundle = SHORTEST_BUNDLE
        self._connection: Connection | None = None
        self.is_deaf = True
        """Whether there is no connection that hears, not yet or not any more."""
        super().__init__(connect, on_change, errors=DRIVER_ERRORS, name="durable-postgres-listener")

    def stop(self) -> None:
        """End the hearing; may be called again, from callbacks, and from a loop that ends."""
        super().stop()
        if self._timer is not None:
            self._timer.cancel()

    async def _hear(self, connection: Connection) -> None:
        self._connection = connection
        cut = asyncio.Event()
        connection.add_termination_listener(lambda _: cut.set())
        channel = CHANNEL + await connection.fetchval(_TABLE, quoted(self._table))
        await connection.add_listener(channel, self._heard)
        self.is_deaf = False
        try:
            self._hears()
            self._pass_on()
            while not cut.is_set():
                try:
                    await asyncio.wait_for(cut.wait(), CHECK_INTERVAL)
                except TimeoutError:
                    await connection.execute("SELECT 1", timeout=CHECK_TIMEOUT)
        finally:
            self.is_deaf = True
        raise ConnectionError("the connection was closed")

    def _lost(self) -> None:
        self._pass_on()  # who counted on being told has to look now, and then often

    def _heard(self, _connection: object, pid: int, _channel: str, _payload: object) -> None:
        if not self._is_own(pid):
            self._pass_on()

    def _pass_on(self) -> None:
        if self._timer is not None:
            self._late += 1
            return
        self._timer = self._loop.call_later(self._bundle, self._settle)
        self._on_change()

    def _settle(self) -> None:
        self._timer = None
        late, self._late = self._late, 0
        is_much = late >= _MUCH
        self._bundle = min(self._bundle * 2, LONGEST_BUNDLE) if is_much else SHORTEST_BUNDLE
        if late:
            self._pass_on()
