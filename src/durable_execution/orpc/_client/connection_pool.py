"""Connections that wait for their next call, and those that are in use."""

from __future__ import annotations

import os
import weakref
from collections import deque
from time import monotonic
from typing import Final

from durable_execution.orpc._client.http_connection import HttpConnection

# Node.js and uvicorn drop an idle connection after 5 s; letting go first avoids sending a call
# into a connection the other side is closing.
KEEPALIVE: Final = 4.0

_MOST_IDLE: Final = 100


class ConnectionPool:
    """Connections by the origin they lead to, for any number of threads.

    It has no lock, for which threads would queue and which a fork could leave locked for ever: each
    step is one operation of a collection, and whoever takes or gives back looks afterwards whether
    the pool was closed meanwhile.

    A process that was forked begins anew, and leaves the connections of its parent alone.
    """

    def __init__(self) -> None:
        self._idle: dict[str, deque[HttpConnection]] = {}
        self._used: set[HttpConnection] = set()
        self._process = os.getpid()
        self._is_closed = False
        # One that is forgotten must not leave its sockets to the collector, which warns of them.
        weakref.finalize(self, _close_all, self._idle)

    @property
    def is_closed(self) -> bool:
        """Whether nothing is taken from it any more."""
        return self._is_closed

    def take(self, origin: str) -> HttpConnection | None:
        """A connection that can be used, the latest first; None when a new one is to be made.

        Raises:
            RuntimeError: It is closed.
        """
        if self._process != os.getpid():
            self._begin_anew()
        idle = self._idle.get(origin)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread was faster
                break
            self.add(connection)
            if monotonic() - connection.idle_since < KEEPALIVE and not connection.is_stale():
                return connection
            self.drop(connection)
        if self._is_closed:
            raise _closed()
        return None

    def add(self, connection: HttpConnection) -> None:
        """Take note of a connection that is in use from now on.

        Raises:
            RuntimeError: The pool is closed, and now the connection is.
        """
        self._used.add(connection)
        if self._is_closed:
            self.drop(connection)
            raise _closed()

    def give_back(self, origin: str, connection: HttpConnection) -> None:
        """Keep a connection for its next call."""
        if connection not in self._used:  # it is that of a parent process
            connection.close()
            return
        self._used.discard(connection)
        connection.idle_since = at = monotonic()
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle.setdefault(origin, deque())
        idle.append(connection)
        if self._is_closed:
            _close_all(self._idle)
        elif len(idle) > _MOST_IDLE or at - idle[0].idle_since >= KEEPALIVE:
            self._prune(idle, at)

    def drop(self, connection: HttpConnection) -> None:
        """Give up a connection that was in use."""
        self._used.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close those that are idle, and wake the threads that wait at the others."""
        if self._process != os.getpid():
            self._begin_anew()
        self._is_closed = True
        # Whoever uses one closes it: its number must not be given to another before that.
        for connection in list(self._used):
            connection.wake()
        _close_all(self._idle)

    def _prune(self, idle: deque[HttpConnection], at: float) -> None:
        while idle:
            try:
                oldest = idle.popleft()
            except IndexError:
                return
            if len(idle) < _MOST_IDLE and at - oldest.idle_since < KEEPALIVE:
                idle.appendleft(oldest)
                return
            oldest.close()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._used = set()
        _close_all(self._idle)


def _closed() -> RuntimeError:
    return RuntimeError("HttpSender is closed")


def _close_all(idle: dict[str, deque[HttpConnection]]) -> None:
    for connections in list(idle.values()):
        while connections:
            try:
                connection = connections.pop()
            except IndexError:
                break
            connection.close()
