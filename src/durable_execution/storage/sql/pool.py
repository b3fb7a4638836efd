"""Connections that are kept, lent to one user at a time, and replaced when they have failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Generic, Protocol, TypeVar

from durable_execution.errors import StorageError

_CLOSE_TIMEOUT: Final = 5.0


class Poolable(Protocol):
    """What a pool asks of a connection."""

    def is_closed(self) -> bool:
        """Whether the connection is of no more use."""
        ...

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    def get_server_pid(self) -> int:
        """Return the server's number of the connection."""
        ...

    def terminate(self) -> None:
        """Cut the connection."""
        ...

    async def close(self, *, timeout: float) -> None:
        """Say goodbye and close the connection, within so many seconds."""
        ...


ConnectionT = TypeVar("ConnectionT", bound=Poolable)


class ConnectionPool(Generic[ConnectionT]):
    """At most `size` connections, for one event loop, opened when they are needed.

    Args:
        connect: Opens a connection.
        size: Connections at the same time; who finds none free waits.
        leaves_doubt: Tells whether after an error nobody knows what state the connection is in.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[ConnectionT]],
        size: int,
        leaves_doubt: Callable[[BaseException], bool],
    ) -> None:
        self._connect = connect
        self._leaves_doubt = leaves_doubt
        self._places = asyncio.Semaphore(size)
        self._idle: list[ConnectionT] = []
        self._lent: set[ConnectionT] = set()
        self._pids: dict[ConnectionT, int] = {}
        self._loop = asyncio.get_running_loop()
        self._is_closed = False

    def is_own(self, pid: int) -> bool:
        """Whether the server's process serves a connection of this pool."""
        return pid in self._pids.values()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[ConnectionT]:
        """Lend a connection.

        It is kept when the body ends well, or with an error of the database that left no
        transaction open; otherwise nobody knows what state it is in, and it is cut.

        Raises:
            StorageError: The pool belongs to another event loop.
        """
        if asyncio.get_running_loop() is not self._loop:
            raise StorageError(
                "the storage was opened on another event loop: use storage.sibling() on this one"
            )
        async with self._places:
            connection = await self._take()
            self._lent.add(connection)
            try:
                yield connection
            except BaseException as error:
                if self._is_in_doubt(connection, error):
                    is_broken = connection.is_closed() or isinstance(error, OSError)
                    self._cut(connection)
                    if is_broken:
                        self._cut_idle()
                else:
                    self._give_back(connection)
                raise
            self._give_back(connection)

    async def close(self) -> None:
        """Close the connections; those that are lent are cut."""
        self._is_closed = True
        for connection in list(self._lent):
            self._cut(connection)
        idle, self._idle = self._idle, []
        for connection in idle:
            self._pids.pop(connection, None)
            try:
                await connection.close(timeout=_CLOSE_TIMEOUT)
            except Exception:  # a goodbye that failed is one all the same
                connection.terminate()

    async def _take(self) -> ConnectionT:
        while self._idle:
            # The last one first: those that are not needed grow old and are ended by the server.
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._pids.pop(connection, None)
        connection = await self._connect()
        self._pids[connection] = connection.get_server_pid()
        return connection

    def _give_back(self, connection: ConnectionT) -> None:
        self._lent.discard(connection)
        if self._is_closed or connection.is_closed():
            self._cut(connection)
        else:
            self._idle.append(connection)

    def _cut(self, connection: ConnectionT) -> None:
        self._lent.discard(connection)
        self._pids.pop(connection, None)
        connection.terminate()

    def _cut_idle(self) -> None:
        # They lead to the same machine. One that is gone says nothing, and each would wait for it.
        idle, self._idle = self._idle, []
        for connection in idle:
            self._cut(connection)

    def _is_in_doubt(self, connection: ConnectionT, error: BaseException) -> bool:
        is_broken = self._leaves_doubt(error) or connection.is_closed()
        return is_broken or connection.is_in_transaction()
