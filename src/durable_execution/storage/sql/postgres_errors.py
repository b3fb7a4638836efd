"""What PostgreSQL's errors mean to a caller of the storage."""

from __future__ import annotations

from typing import Final

import asyncpg  # type: ignore[import-untyped]  # has no types

from durable_execution.errors import StorageError, StorageUnavailableError

_MAY_PASS: Final = {
    "08": "the connection failed",
    "53": "the server has no connection, memory or disk left",
    "57": "the server ended the connection or the statement",
    "58": "the server's system failed",
    "40": "other transactions were in the way, again and again",
    "55P03": "a lock was held for too long",
    "25P03": "the transaction stood still for too long",
    "25006": "the server is read-only now; is it a standby?",
}
_STAYS: Final = {
    "22": "a value cannot be stored",
    "54": "a value is larger than PostgreSQL can store",
    "28": "the server refused the user or the password",
    "3D000": "there is no such database: create it first",
    "3F000": "there is no such schema",
    "42501": (
        "the user lacks a privilege: to run takes SELECT, INSERT, UPDATE and DELETE on the tables, "
        "and who migrates must own them"
    ),
    "23514": "a row would break an invariant of executions",
    "23": "a row would break a constraint",
}
DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    OverflowError,
    UnicodeError,
)
"""All that a connection raises, and nothing that is our own mistake."""
_CONFLICTS: Final = frozenset({"40001", "40P01"})


def is_conflict(error: Exception) -> bool:
    """Whether the transaction failed because of others, and may work when it is begun again."""
    if isinstance(error, asyncpg.UniqueViolationError):
        # Of two inserts of one row at the same moment, the later sees the row on its next try.
        return str(error.constraint_name or "").endswith("_pkey")
    stale = asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError
    return isinstance(error, stale) or getattr(error, "sqlstate", None) in _CONFLICTS


def leaves_doubt(error: BaseException) -> bool:
    """Whether nobody knows what state the connection is in, or it leads to the wrong server."""
    # The driver confuses itself when a server takes its leave between two statements. One that has
    # become a standby would stay one for as long as the connection is kept.
    return not isinstance(error, Exception) or isinstance(
        error, OSError | asyncpg.InternalClientError | asyncpg.ReadOnlySQLTransactionError
    )


def to_storage_error(error: Exception, database: str) -> StorageError:
    """Return the storage's error for one of the driver's."""
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and isinstance(error, asyncpg.PostgresError):
        for code in (state, state[:2]):
            if code in _MAY_PASS:
                return StorageUnavailableError(f"{database}: {_MAY_PASS[code]} ({error})")
            if code in _STAYS:
                return StorageError(f"{database}: {_STAYS[code]} ({error})")
        return StorageError(f"{database}: {error}")
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return StorageError(f"{database}: a value cannot be stored ({error})")
    if isinstance(error, UnicodeError | OverflowError):
        return StorageError(f"{database}: a value cannot be stored ({error})")
    reason = str(error) or type(error).__name__
    return StorageUnavailableError(f"{database}: the connection failed ({reason})")
