"""The address calls go to: checked once, so that no call can fail or stray because of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from durable_execution.orpc._protocol import resolve_dot_segments

_ALLOWED: Final = re.compile(r"[\x21-\x7e]+")
_EXAMPLE: Final = "expected an absolute URL such as 'https://example.com/rpc'"


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """`origin` is scheme, host and port; `path` has no trailing slash; `query` no question mark."""

    origin: str
    path: str
    query: str


def base_url(url: str) -> BaseUrl:
    """The parts of a base URL; its query is kept for every call (WIRE.md 4.1).

    Raises:
        TypeError: Not a str.
        ValueError: Not an absolute http or https URL, or one with user name, password, fragment,
            spaces or text beyond ASCII.
    """
    if not isinstance(url, str):
        raise TypeError(f"url: {_EXAMPLE}, got {type(url).__name__}")
    if not _ALLOWED.fullmatch(url):
        raise ValueError("url: expected ASCII without spaces; percent-encode anything else")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"url: {_EXAMPLE}; {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"url: {_EXAMPLE}")
    if "@" in parts.netloc:
        raise ValueError("url: user name and password do not belong here; send them in headers")
    if parts.fragment:
        raise ValueError("url: a fragment (#...) never reaches a server; leave it out")
    path = resolve_dot_segments(parts.path).removesuffix("/")
    return BaseUrl(f"{parts.scheme}://{parts.netloc}", path, parts.query)
