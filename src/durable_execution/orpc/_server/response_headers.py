"""Headers that a procedure adds to its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from durable_execution.orpc._protocol import Headers, Response

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# They describe the body and its framing, which the codec and the server alone know.
_RESERVED: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "transfer-encoding",
    }
)


class ResponseHeaders:
    """`ctx.response_headers`: sent with the answer, be it a value, an error or a stream.

        ctx.response_headers["cache-control"] = "max-age=60"
        ctx.response_headers.add("set-cookie", "session=1; HttpOnly; Secure; SameSite=Lax")

    What the procedure of a stream sets after its first value comes too late: status and headers
    are on their way by then.

    Raises:
        ValueError: HTTP cannot carry the name or the value, or the handler itself sets it.
    """

    __slots__ = ("_pairs",)

    def __init__(self) -> None:
        self._pairs: list[tuple[str, str]] = []

    def add(self, name: str, value: str) -> None:
        """One more line of this name, as `set-cookie` needs."""
        self._pairs.append(_checked(name, value))

    def __setitem__(self, name: str, value: str) -> None:
        """The only line of this name."""
        pair = _checked(name, value)
        self._pairs = [kept for kept in self._pairs if kept[0] != pair[0]]
        self._pairs.append(pair)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Name and value of each line, names in lower case."""
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        # Values carry cookies, and a repr ends up in logs.
        return f"ResponseHeaders({', '.join(name for name, _ in self._pairs)})"

    def added_to(self, response: Response) -> Response:
        """The response with these lines before its own."""
        if not self._pairs:
            return response
        return response.replace(headers=(*self._pairs, *response.headers))


def with_vary(headers: Headers, name: str) -> Headers:
    """The headers saying that the answer depends on a request header; said before, it stays one."""
    said = ", ".join(value for key, value in headers if key == "vary")
    if name.lower() in (item.strip().lower() for item in said.split(",")):
        return headers
    others = (pair for pair in headers if pair[0] != "vary")
    return (*others, ("vary", f"{said}, {name}" if said else name))


def _checked(name: str, value: str) -> tuple[str, str]:
    for text in (name, value):
        if not isinstance(text, str):
            raise TypeError(f"response header: expected str, got {type(text).__name__}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"response header: {name!r} is not a header name")
    lowered = name.lower()
    if lowered in _RESERVED:
        raise ValueError(f"response header: {lowered!r} is set by the handler itself; leave it out")
    if not _VALUE.fullmatch(value):
        # The value may be a secret: it is not repeated here.
        raise ValueError(
            f"response header {lowered!r}: expected one line of Latin-1 text; encode anything else"
        )
    return lowered, value
