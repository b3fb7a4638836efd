"""Requests of HTTP/1.1 as they stand on the wire. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from durable_execution.orpc._client.unpacking import ENCODINGS
from durable_execution.orpc._protocol import Request

_DEFAULTS: Final = {
    "accept": "*/*",
    "accept-encoding": ENCODINGS,
    "user-agent": "durable-execution",
}
_DEFAULT_LINES: Final = "".join(f"{name}: {value}\r\n" for name, value in _DEFAULTS.items())
_OWN: Final = frozenset({*_DEFAULTS, "host", "content-length", "connection"})


class Server(NamedTuple):
    """Who answers, and `netloc` as it is told what it is called."""

    host: str
    port: int
    is_secure: bool
    netloc: str


@lru_cache(maxsize=64)
def server_of(origin: str) -> Server:
    """The server behind `scheme://host[:port]`."""
    parts = urlsplit(origin)
    is_secure = parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    return Server(parts.hostname or "", port, is_secure, parts.netloc)


def request_text(request: Request) -> bytes:
    """The request as it stands on the wire.

    Raises:
        ValueError: It holds a line break where that would begin another header.
    """
    body = request.body
    assert isinstance(body, bytes)  # noqa: S101 - as `BlockingSender` says
    lines = [f"{request.method} {request.target} HTTP/1.1\r\n"]
    given = {name for name, _ in request.headers} & _OWN
    if "host" not in given:
        lines.append(f"host: {server_of(request.origin).netloc}\r\n")
    if not given:
        lines.append(_DEFAULT_LINES)
    else:
        lines += [f"{name}: {value}\r\n" for name, value in _DEFAULTS.items() if name not in given]
    lines += [f"{name}: {value}\r\n" for name, value in request.headers]
    if "content-length" not in given and (body or request.method not in ("GET", "DELETE")):
        lines.append(f"content-length: {len(body)}\r\n")
    text = "".join(lines)
    ends = len(lines) if given else len(lines) + len(_DEFAULTS) - 1
    if not text.count("\r\n") == text.count("\n") == text.count("\r") == ends:
        raise ValueError("a line break cannot be sent within the method, the URL or a header")
    return f"{text}\r\n".encode() + body
