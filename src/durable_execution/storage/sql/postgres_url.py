"""Where a database is, read from its URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.sql.postgres_connection import Place
from durable_execution.storage.sql.url_options import (
    check_option,
    options_of,
    parsed_url,
    pool_size_of,
)

if TYPE_CHECKING:
    from sqlalchemy import URL

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
    options = options_of(parsed, _OPTIONS)
    pooled = options.get("pgbouncer")
    check_option("pgbouncer", pooled, pooled is None or pooled in _BOOLEANS, "true or false")
    schema = options.get("schema")
    is_name = schema is None or _SCHEMA.fullmatch(schema) is not None
    check_option("schema", schema, is_name, "letters, digits and _, at most 63")
    hosts = _hosts_of(urls, options)
    place = Place(
        name=_name(parsed, hosts),
        hosts=tuple(_given(host=host, port=port) for host, port in hosts),
        options=_options(parsed, options),
        schema=schema,
        is_pooled=None if pooled is None else _BOOLEANS[pooled],
    )
    return place, pool_size_of(options)


def _urls_of(url: str) -> list[URL]:
    """Return one URL for each host."""
    several = _HOSTS.fullmatch(url)
    before, names, after = ("", url, "") if several is None else several.groups()
    each_host = [url] if several is None else names.split(",")
    return [parsed_url(f"{before}{name}{after}") for name in each_host]


def _hosts_of(urls: Sequence[URL], options: dict[str, str]) -> list[tuple[str | None, int | None]]:
    if len(urls) == 1:
        return [(options.get("host", urls[0].host), urls[0].port)]
    hosts = [each.host for each in urls]
    check_option(
        "host", options.get("host"), "host" not in options, "left out beside several hosts"
    )
    check_option("each of several hosts", hosts, all(hosts), "a name")
    return [(each.host, each.port) for each in urls]


def _options(parsed: URL, options: dict[str, str]) -> dict[str, Any]:
    mode = options.get("sslmode")
    check_option("sslmode", mode, mode is None or mode in _SSL_MODES, ", ".join(_SSL_MODES))
    return _given(
        user=parsed.username, password=parsed.password, database=parsed.database, ssl=mode
    )


def _given(**found: Any) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value}


def _name(parsed: URL, hosts: Sequence[tuple[str | None, int | None]]) -> str:
    places = ",".join(f"{host or 'localhost'}{f':{port}' if port else ''}" for host, port in hosts)
    return f"PostgreSQL, {places}/{parsed.database or ''}"
