"""The servers that a database may be on: after a failover it is on another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg  # type: ignore[import-untyped]  # has no types

from durable_execution.storage.sql.postgres_connection import Place, connect

if TYPE_CHECKING:
    from durable_execution.storage.sql.postgres_connection import Connection

_IS_ANOTHERS_TURN: Final = (
    OSError,  # nobody is there, or nobody answers
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it starts, stops or repairs itself
    asyncpg.TargetServerAttributeNotMatched,  # it is a standby
)


class Servers:
    """Knows which server of a place took writes last, and asks that one first."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._hosts = list(place.hosts)

    async def connect(self, *, is_pooled: bool) -> Connection:
        """Connect to the first server that takes writes.

        Raises:
            Exception: What the last one raised, where none does, or the first that knows us not.
        """
        *others, last = self._hosts
        for host in others:
            try:
                connection = await connect(self._place, host, is_pooled=is_pooled)
            except _IS_ANOTHERS_TURN:
                continue
            self._ask_first(host)
            return connection
        connection = await connect(self._place, last, is_pooled=is_pooled)
        self._ask_first(last)
        return connection

    def _ask_first(self, host: dict[str, object]) -> None:
        # Connections are made side by side: another may have changed the order meanwhile.
        self._hosts.sort(key=lambda each: each is not host)
