"""Where a database is, read from its URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
_HOSTS: Final = re.compile(r"([^:/]+://(?:[^@/]*@)?)([^/?]*,[^/?]*)(.*)")
"""Several hosts, as libpq has them, and what is before and after them."""


def read_url(url: str) -> tuple[Place, int]:
    """Return the place and the size of the pool.

    Raises:
        InvalidOptionError: An option is not known, or has a value that it cannot have.
    """
    urls = _urls_of(url)
    parsed = urls[0]
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
    hosts = _hosts_of(urls, options)
    place = Place(
        name=_name(parsed, hosts),
        hosts=tuple(_given(host=host, port=port) for host, port in hosts),
        options=_options(parsed, options),
        schema=schema,
        is_pooled=None if pooled is None else _BOOLEANS[pooled],
    )
    return place, _pool_size(options.get("pool_size"))


def _urls_of(url: str) -> list[URL]:
    """Return one URL for each host."""
    several = _HOSTS.fullmatch(url)
    before, names, after = ("", url, "") if several is None else several.groups()
    each_host = [url] if several is None else names.split(",")
    try:
        return [make_url(f"{before}{name}{after}") for name in each_host]
    except (ArgumentError, ValueError) as error:
        raise InvalidOptionError(f"storage url cannot be read: {error}") from error


def _hosts_of(urls: Sequence[URL], options: dict[str, str]) -> list[tuple[str | None, int | None]]:
    if len(urls) == 1:
        return [(options.get("host", urls[0].host), urls[0].port)]
    hosts = [each.host for each in urls]
    _check("host", options.get("host"), "host" not in options, "left out beside several hosts")
    _check("each of several hosts", hosts, all(hosts), "a name")
    return [(each.host, each.port) for each in urls]


def _options(parsed: URL, options: dict[str, str]) -> dict[str, Any]:
    mode = options.get("sslmode")
    _check("sslmode", mode, mode is None or mode in _SSL_MODES, ", ".join(_SSL_MODES))
    return _given(
        user=parsed.username, password=parsed.password, database=parsed.database, ssl=mode
    )


def _given(**found: Any) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value}


def _name(parsed: URL, hosts: Sequence[tuple[str | None, int | None]]) -> str:
    places = ",".join(f"{host or 'localhost'}{f':{port}' if port else ''}" for host, port in hosts)
    return f"PostgreSQL, {places}/{parsed.database or ''}"


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
