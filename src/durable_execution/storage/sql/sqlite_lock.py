"""Waiting for the lock of an SQLite file, which one transaction that writes holds at a time.

SQLite's own waits are twice as long each time, up to 100 milliseconds: several times as long as
another process takes to write a batch. Two processes that are busy would stand still by turns.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final, Literal

Begin = Literal["BEGIN", "BEGIN IMMEDIATE"]

BUSY_TIMEOUT: Final = 10.0
"""Seconds to wait for the lock that another process holds."""
_FIRST_PAUSE: Final = 0.000_1
_LONGEST_PAUSE: Final = 0.002
"""Seconds between two tries, which take some microseconds each."""
_GROWTH: Final = 1.5


def begin_transaction(connection: sqlite3.Connection, begin: Begin) -> None:
    """Begin a transaction; one that writes waits until no other process has the lock.

    Raises:
        sqlite3.OperationalError: The lock was not to be had for ten seconds.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT
    pause = _FIRST_PAUSE
    while not _has_begun(connection, begin, deadline):
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)


def _has_begun(connection: sqlite3.Connection, begin: Begin, deadline: float) -> bool:
    try:
        connection.execute(begin)
    except sqlite3.OperationalError as error:
        is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        if not is_busy or time.monotonic() > deadline:
            raise
        return False
    return True
