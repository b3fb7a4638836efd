"""Reads of a few rows in the thread that asks, because the way to another one costs more."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

from durable_execution.storage.sql.driver import Work
from durable_execution.storage.sql.sqlite_connection import (
    OnStatement,
    SqliteTransaction,
    run_to_end,
)

T = TypeVar("T")


class NotNearError(Exception):
    """Not to be read here and now; another connection may wait for what this one does not."""


class NearReader:
    """A connection for whichever thread asks; nobody waits for another, or for a lock of the file.

    What is read is in the memory of the machine, or a few pages of the file away.

    Args:
        connect: Opens and prepares the connection, which must wait for no lock later.
        tell: Hears the text of every statement.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        tell: OnStatement | None,
    ) -> None:
        self._connect = connect
        self._tell = tell or _nobody
        self._using = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Connect; may wait for a lock.

        Raises:
            sqlite3.Error: The file cannot be opened.
        """
        self._connection = self._connect()

    def close(self) -> None:
        """Wait for who reads, and disconnect."""
        with self._using:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def run(self, work: Work[T]) -> T:
        """Run work of one statement.

        Raises:
            NotNearError: Another thread reads at this moment, the file is locked, or whatever else
                is worth to be tried, and told, by a connection that waits.
        """
        if not self._using.acquire(blocking=False):
            raise NotNearError
        try:
            if self._connection is None:
                raise NotNearError
            return run_to_end(
                work(SqliteTransaction(self._connection, self._tell, is_row_by_row=False))
            )
        except (sqlite3.Error, UnicodeError) as error:
            raise NotNearError from error
        finally:
            self._using.release()


def _nobody(text: str) -> None:
    """Hear nothing."""
