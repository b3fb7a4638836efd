"""Where a database is, read from its URL."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.sql.postgres_connection import Place

POOL_SIZE: Final = 10
MAX_POOL_SIZE: Final = 1000
_OPTIONS: Final = ("host", "pgbouncer", "pool_size", "schema", "sslmode")
_SCHEMA: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_BOOLEANS: Final = {"true": True, "false": False}


def read_url(url: str) -> tuple[Place, int]:
    """Return the place and the size of the pool.

    Raises:
        InvalidOptionError: An option is not known, or has a value that it cannot have.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidOptionError(f"storage url cannot be read: {error}") from error
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+asyncpg"):
        raise InvalidOptionError(
            f"storage url has scheme {parsed.drivername!r}, expected plain 'postgresql'"
        )
    unknown = sorted(set(parsed.query) - set(_OPTIONS))
    if unknown:
        raise InvalidOptionError(
            f"storage url has unknown options {', '.join(unknown)}; known are {', '.join(_OPTIONS)}"
        )
    options = {name: _single(name, value) for name, value in parsed.query.items()}
    pooled = options.get("pgbouncer")
    _check("pgbouncer", pooled, pooled is None or pooled in _BOOLEANS, "true or false")
    schema = options.get("schema")
    is_name = schema is None or _SCHEMA.fullmatch(schema) is not None
    _check("schema", schema, is_name, "letters, digits and _, at most 63")
    place = Place(
        name=_name(parsed, options),
        options=_options(parsed, options),
        schema=schema,
        is_pooled=None if pooled is None else _BOOLEANS[pooled],
    )
    return place, _pool_size(options.get("pool_size"))


def _options(parsed: URL, options: dict[str, str]) -> dict[str, Any]:
    mode = options.get("sslmode")
    _check("sslmode", mode, mode is None or mode in _SSL_MODES, ", ".join(_SSL_MODES))
    found = {
        "host": options.get("host", parsed.host),
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "database": parsed.database,
        "ssl": mode,
    }
    return {name: value for name, value in found.items() if value}


def _name(parsed: URL, options: dict[str, str]) -> str:
    host = options.get("host", parsed.host) or "localhost"
    port = f":{parsed.port}" if parsed.port else ""
    return f"PostgreSQL, {host}{port}/{parsed.database or ''}"


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
