"""Telling others of changes on MySQL and MariaDB, which have no notifications.

Who wants to hear holds one of a few locks by name, its bell, and stands still in `SLEEP` on that
connection. Who has changed something asks who holds the bells (`IS_USED_LOCK`), and ends their
sleep (`KILL QUERY`, which needs no privilege among connections of one user). Nothing is stored: a
bell is gone with its connection, and a number is never given to another connection. Numbers that
are not the server's own, as behind some proxies, are neither rung nor heard.

Best effort: a process of another user, on another node of a cluster, or past the last bell is not
rung, nor does a caller ring whose own transaction inserts rows. Who waits looks now and then.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import lru_cache
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from asyncmy.errors import MySQLError

from durable_execution.errors import StorageError
from durable_execution.storage.sql.mysql_connection import MySqlConnection
from durable_execution.storage.sql.mysql_errors import DRIVER_ERRORS, code_of

logger = logging.getLogger(__name__)

BELLS: Final = 16
"""Who comes later is not rung."""
SHORTEST_REST: Final = 0.002
"""Seconds between two rounds at least."""
REST: Final = 3
"""How many times as long as a round took to rest after it."""
NOBODY_REST: Final = 1.0
"""Seconds until the next round when there was nobody to ring: who comes looks first."""
SEEN_FOR: Final = 1.0
"""Seconds for which it is remembered who holds the bells."""
CLOSE_TIMEOUT: Final = 1.0
_UNREACHABLE: Final = frozenset({1094, 1095})
"""No such connection any more, and one of another user."""


def bells_of(database: str, table: str) -> tuple[str, ...]:
    """Return the names of the bells of a table. Locks by name are the server's: few, and short."""
    # What two names differ in by case may be one database.
    place = hashlib.sha256(f"{database.lower()}/{table}".encode()).hexdigest()[:32]
    return tuple(f"durable-bell-{place}-{number}" for number in range(BELLS))


@lru_cache(maxsize=512)
def is_news(text: str, table: str) -> bool:
    """Whether a statement inserts executions, finishes some or gives some back."""
    verb = re.match(rf"(INSERT INTO|UPDATE) [\"`]?{re.escape(table)}[\"`]?[ ,]", text)
    if verb is None or verb[1] == "INSERT INTO":
        return verb is not None
    changed = re.split(r"\bWHERE\b", text.partition(" SET ")[2])[0]
    return re.search(r"\b(start_at|finished_at) ?=", changed) is not None


async def take_bell(connection: MySqlConnection, names: Sequence[str]) -> str | None:
    """Take a bell for as long as the connection lives; None if it could not be rung.

    Raises:
        MySQLError: The server has no locks by name, as some clusters.
    """
    cases = " ".join(f"WHEN GET_LOCK('{name}', 0) = 1 THEN '{name}'" for name in names)
    (answer,) = await connection.run([f"SELECT CASE {cases} END"])
    name = answer.rows[0][0]
    if not isinstance(name, str):
        return None
    (held,) = await connection.run([f"SELECT IS_USED_LOCK('{name}')"])
    return name if held.rows[0][0] == connection.get_server_pid() else None


class _Seen(NamedTuple):
    """Who holds the bells, as one connection saw it."""

    is_direct: bool
    """Whether numbers of connections mean the same to the server and to who rings."""
    pids: tuple[int, ...]
    at: float


class Ringer:
    """Rings for what was written here, in the background, several changes at a time.

    Args:
        lend: Lends a connection.
        names: The bells.
        is_own: Whether a connection is one of ours, which need not hear.
    """

    def __init__(
        self,
        lend: Callable[[], AbstractAsyncContextManager[MySqlConnection]],
        names: Sequence[str],
        is_own: Callable[[int], bool],
    ) -> None:
        self._lend = lend
        self._names = names
        self._is_own = is_own
        self._is_due = False
        self._is_closing = asyncio.Event()
        self._round: asyncio.Task[None] | None = None
        self._seen: WeakKeyDictionary[MySqlConnection, _Seen] = WeakKeyDictionary()

    def ring(self) -> None:
        """Ring soon: at once after a rest."""
        self._is_due = True
        if self._round is None or self._round.done():
            loop = asyncio.get_running_loop()
            self._round = loop.create_task(self._run(), name="durable-mysql-ringer")

    async def close(self) -> None:
        """Ring at once for what has not been rung for yet, if that is soon done."""
        if self._round is None:
            return
        self._is_closing.set()
        await asyncio.wait({self._round}, timeout=CLOSE_TIMEOUT)
        self._round.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._is_due:
            self._is_due = False
            begun = loop.time()
            try:
                async with self._lend() as connection:
                    rung = await self._ring_over(connection)
            except (*DRIVER_ERRORS, StorageError) as error:
                logger.debug("could not ring", extra={"error": str(error)})
                rung = 0
            took = loop.time() - begun
            rest = max(SHORTEST_REST, REST * took) if rung else NOBODY_REST
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._is_closing.wait()

    async def _ring_over(self, connection: MySqlConnection) -> int:
        """Ring all bells but our own; return how many."""
        now = asyncio.get_running_loop().time()
        seen = self._seen.get(connection)
        rung = 0
        if seen is not None:
            rung = await _end_sleep(connection, seen.pids)
            if rung == len(seen.pids) and now - seen.at < SEEN_FOR:
                return rung
        before = () if seen is None else seen.pids
        is_direct = await _is_direct(connection) if seen is None else seen.is_direct
        pids = await self._holders(connection) if is_direct else ()
        self._seen[connection] = _Seen(is_direct, pids, now)
        return rung + await _end_sleep(connection, [pid for pid in pids if pid not in before])

    async def _holders(self, connection: MySqlConnection) -> tuple[int, ...]:
        asked = ", ".join(f"IS_USED_LOCK('{name}')" for name in self._names)
        (answer,) = await connection.run([f"SELECT {asked}"])
        pids = [pid for pid in answer.rows[0] if isinstance(pid, int)]
        return tuple(pid for pid in pids if not self._is_own(pid))


async def _end_sleep(connection: MySqlConnection, pids: Iterable[int]) -> int:
    """Ring these bells; return how many could be."""
    rung = 0
    for pid in pids:
        try:
            await connection.run([f"KILL QUERY {pid}"])
        except MySQLError as error:
            if code_of(error) not in _UNREACHABLE:
                raise
        else:
            rung += 1
    return rung


async def _is_direct(connection: MySqlConnection) -> bool:
    """Whether the connection's number is the server's own: a proxy may make up others."""
    pid = connection.get_server_pid()
    name = f"'durable-bell-check-{pid}'"
    asked = f"SELECT GET_LOCK({name}, 0), IS_USED_LOCK({name}), RELEASE_LOCK({name})"
    (answer,) = await connection.run([asked])
    return answer.rows[0][1] == pid
