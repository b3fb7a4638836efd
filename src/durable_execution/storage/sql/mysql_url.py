"""Where a database of MySQL or MariaDB is, read from its URL."""

from __future__ import annotations

import ssl
from typing import Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.sql.mysql_connection import Place

POOL_SIZE: Final = 10
MAX_POOL_SIZE: Final = 1000
_SCHEMES: Final = ("mysql", "mariadb", "mysql+asyncmy", "mariadb+asyncmy")
_OPTIONS: Final = ("pool_size", "ssl", "ssl_ca", "unix_socket")
_SSL_MODES: Final = ("disable", "require", "verify-full")


def read_url(url: str) -> tuple[Place, int]:
    """Return the place and the size of the pool.

    Raises:
        InvalidOptionError: An option is not known, or has a value that it cannot have.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidOptionError(f"storage url cannot be read: {error}") from error
    if parsed.drivername not in _SCHEMES:
        raise InvalidOptionError(
            f"storage url has scheme {parsed.drivername!r}, expected plain 'mysql' or 'mariadb'"
        )
    if not parsed.database:
        raise InvalidOptionError("storage url names no database: mysql://host/database")
    unknown = sorted(set(parsed.query) - set(_OPTIONS))
    if unknown:
        raise InvalidOptionError(
            f"storage url has unknown options {', '.join(unknown)}; known are {', '.join(_OPTIONS)}"
        )
    options = {name: _single(name, value) for name, value in parsed.query.items()}
    server = "MySQL" if parsed.drivername.startswith("mysql") else "MariaDB"
    host = options.get("unix_socket") or parsed.host or "localhost"
    port = f":{parsed.port}" if parsed.port else ""
    place = Place(
        name=f"{server}, {host}{port}/{parsed.database}", options=_options(parsed, options)
    )
    return place, _pool_size(options.get("pool_size"))


def _options(parsed: URL, options: dict[str, str]) -> dict[str, Any]:
    found = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        # The driver would write texts in Latin-1.
        "password": None if parsed.password is None else str(parsed.password).encode(),
        "database": parsed.database,
        "unix_socket": options.get("unix_socket"),
        "ssl": _ssl(options.get("ssl"), options.get("ssl_ca")),
    }
    return {name: value for name, value in found.items() if value}


def _ssl(mode: str | None, authorities: str | None) -> ssl.SSLContext | None:
    _check("ssl", mode, mode is None or mode in _SSL_MODES, ", ".join(_SSL_MODES))
    is_verified = mode == "verify-full"
    _check(
        "ssl_ca", authorities, authorities is None or is_verified, "left out without verify-full"
    )
    if mode in (None, "disable"):
        return None
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise InvalidOptionError(f"storage url: ssl_ca cannot be read: {error}") from error
    if not is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _pool_size(text: str | None) -> int:
    if text is None:
        return POOL_SIZE
    is_size = text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_POOL_SIZE
    _check("pool_size", text, is_size, f"1 to {MAX_POOL_SIZE}")
    return int(text)


def _single(name: str, value: str | tuple[str, ...]) -> str:
    _check(name, value, isinstance(value, str), "one value")
    return str(value)


def _check(name: str, value: object, is_valid: bool, expected: str) -> None:  # noqa: FBT001
    if not is_valid:
        raise InvalidOptionError(f"storage url: {name} must be {expected}, got {value!r}")
