"""What the errors of MySQL and MariaDB mean to a caller of the storage."""

from __future__ import annotations

from typing import Final

from asyncmy import errors

from durable_execution.errors import StorageError, StorageUnavailableError

_MAY_PASS: Final = {
    1021: "the server has no disk left",
    1040: "the server has no connection left",
    1041: "the server has no memory left",
    1053: "the server is shutting down",
    1079: "the server is shutting down",
    1129: "the server refuses this host after many failed connections",
    1203: "the user has no connection left",
    1205: "a lock was held for too long",
    1213: "other transactions were in the way, again and again",
    1290: "the server is read-only now; is it a replica?",
    1792: "the transaction is read-only; is the server a replica?",
    1836: "the server is read-only now; is it a replica?",
    1317: "the server ended the statement",
    1927: "the server ended the connection",
    1969: "the statement took too long for the server",
    3024: "the statement took too long for the server",
    3169: "the server ended the connection",
    4031: "the server ended the connection, which stood still for too long",
}
_STAYS: Final = {
    1044: "the user may not use the database",
    1045: "the server refused the user or the password",
    1049: "there is no such database: create it first",
    1142: "the user lacks a privilege",
    1153: "a row is larger than the server's max_allowed_packet",
    1227: "the user lacks a privilege",
    1264: "a value cannot be stored",
    1366: "a value cannot be stored",
    1406: "a value cannot be stored",
    1698: "the server refused the user or the password",
    3819: "a row would break an invariant of executions",
    4025: "a row would break an invariant of executions",
}
_CONFLICTS: Final = frozenset({1020, 1205, 1213, 1412})
"""Changed since it was read (snapshots of MariaDB 11), a lock held for too long, a deadlock, a
table that came into being after the snapshot."""
ENDED: Final = frozenset({1317, 1969, 3024})
"""Somebody ended the statement, or the server did because it took too long."""
_BROKEN_CHECKS: Final = frozenset({3819, 4025})
DRIVER_ERRORS: Final = (errors.MySQLError, OSError, RuntimeError, ValueError)
"""All that the driver raises, in its own and in others' names."""


def code_of(error: BaseException) -> int | None:
    """Return the number of a server's error."""
    code = error.args[0] if isinstance(error, errors.MySQLError) and error.args else None
    return code if isinstance(code, int) and code >= _FIRST_OF_SERVER else None


def is_conflict(error: Exception) -> bool:
    """Whether the transaction failed because of others, and may work when it is begun again."""
    return code_of(error) in _CONFLICTS


def leaves_doubt(error: BaseException) -> bool:
    """Whether nobody knows what state the connection is in."""
    is_of_driver = isinstance(error, errors.MySQLError) and (
        (code := code_of(error)) is None or _is_of_client(code)
    )
    return is_of_driver or not isinstance(error, Exception) or isinstance(error, OSError)


def breaks_check(error: Exception, name: str) -> bool:
    """Whether a row broke a constraint with that in its name."""
    return code_of(error) in _BROKEN_CHECKS and name in str(error)


def to_storage_error(error: Exception, database: str) -> StorageError:
    """Return the storage's error for one of the driver's."""
    code = code_of(error)
    if code in _MAY_PASS:
        return StorageUnavailableError(f"{database}: {_MAY_PASS[code]} ({error})")
    if code in _STAYS:
        return StorageError(f"{database}: {_STAYS[code]} ({error})")
    if code is not None and not _is_of_client(code):
        return StorageError(f"{database}: {error}")
    if isinstance(error, UnicodeError | OverflowError):
        return StorageError(f"{database}: a value cannot be stored ({error})")
    if isinstance(error, ImportError | RuntimeError):
        return StorageError(f"{database}: {error}")
    reason = str(error) or type(error).__name__
    return StorageUnavailableError(f"{database}: the connection failed ({reason})")


def _is_of_client(code: int) -> bool:
    """Whether the driver gave the error its number: it did not reach the server, or lost it."""
    return _FIRST_OF_CLIENT <= code < _FIRST_AFTER_CLIENT


_FIRST_OF_SERVER: Final = 1000
_FIRST_OF_CLIENT: Final = 2000
_FIRST_AFTER_CLIENT: Final = 3000
