"""What SQLite's errors mean to a caller of the storage."""

from __future__ import annotations

import sqlite3
from typing import Final

from durable_execution.errors import StorageError, StorageUnavailableError

_MAY_PASS: Final = {
    sqlite3.SQLITE_BUSY: "another process kept the database locked",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_PROTOCOL: "another process kept the database locked",
    sqlite3.SQLITE_INTERRUPT: "the statement was interrupted",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_IOERR: "reading or writing the file failed",
    sqlite3.SQLITE_FULL: "the disk is full",
}
_STAYS: Final = {
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only; the storage must write",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; its directory must exist and be writable",
    sqlite3.SQLITE_PERM: "the file may not be read or written by this user",
    sqlite3.SQLITE_AUTH: "the file may not be read or written by this user",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_CONSTRAINT: "a row would break an invariant of executions",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite can store",
}


def to_storage_error(error: Exception, database: str) -> StorageError:
    """Return the storage's error for one of the driver's.

    A full disk may be emptied: that error says that the call may be repeated, so that an executor
    keeps the results it could not write.
    """
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in _MAY_PASS:
        return StorageUnavailableError(f"SQLite, {database}: {_MAY_PASS[primary]} ({error})")
    if primary in _STAYS:
        return StorageError(f"SQLite, {database}: {_STAYS[primary]} ({error})")
    if isinstance(error, OverflowError | UnicodeError | sqlite3.InterfaceError):
        return StorageError(f"SQLite, {database}: a value cannot be stored ({error})")
    return StorageError(f"SQLite, {database}: {error}")
