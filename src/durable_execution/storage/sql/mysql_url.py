"""Where a database of MySQL or MariaDB is, read from its URL."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.sql.mysql_connection import Place
from durable_execution.storage.sql.url_options import (
    check_option,
    options_of,
    parsed_url,
    pool_size_of,
)

if TYPE_CHECKING:
    from sqlalchemy import URL

_SCHEMES: Final = ("mysql", "mariadb", "mysql+asyncmy", "mariadb+asyncmy")
_OPTIONS: Final = ("pool_size", "ssl", "ssl_ca", "unix_socket")
_SSL_MODES: Final = ("disable", "require", "verify-full")


def read_url(url: str) -> tuple[Place, int]:
    """Return the place and the size of the pool.

    Raises:
        InvalidOptionError: An option is not known, or has a value that it cannot have.
    """
    parsed = parsed_url(url)
    if parsed.drivername not in _SCHEMES:
        raise InvalidOptionError(
            f"storage url has scheme {parsed.drivername!r}, expected plain 'mysql' or 'mariadb'"
        )
    if not parsed.database:
        raise InvalidOptionError("storage url names no database: mysql://host/database")
    options = options_of(parsed, _OPTIONS)
    server = "MySQL" if parsed.drivername.startswith("mysql") else "MariaDB"
    host = options.get("unix_socket") or parsed.host or "localhost"
    port = f":{parsed.port}" if parsed.port else ""
    place = Place(
        name=f"{server}, {host}{port}/{parsed.database}", options=_options(parsed, options)
    )
    return place, pool_size_of(options)


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
    check_option("ssl", mode, mode is None or mode in _SSL_MODES, ", ".join(_SSL_MODES))
    is_verified = mode == "verify-full"
    check_option(
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
