"""Headers an application adds to its calls: checked and put into wire form."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from durable_execution.orpc._client.blocking import answer_of
from durable_execution.orpc._protocol import Headers

HeaderMapping = Mapping[str, str | Sequence[str]]
"""Names in any case; a list of values goes out as one line joined with a comma and a space."""

HeaderSource = HeaderMapping | Callable[[], HeaderMapping | Awaitable[HeaderMapping]]
"""The headers of every call, or a function asked before each, for tokens that expire."""

CSRF_HEADER: Final = {"x-csrf-token": "orpc"}
"""What pages of other origins cannot send unasked (WIRE.md 9)."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")

# They describe the body and its framing, which the codec and the transport alone know.
_RESERVED: Final = frozenset(
    {
        "connection",
        "content-disposition",
        "content-encoding",
        "content-length",
        "content-type",
        "standard-server",
        "transfer-encoding",
    }
)


def wire_headers(headers: HeaderMapping) -> dict[str, str]:
    """Lower-case names and single values, in the order given.

    Raises:
        TypeError: Not a mapping of texts.
        ValueError: A name or a value that HTTP cannot carry, or a header the client itself sets.
    """
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers: expected a mapping, got {type(headers).__name__}")
    return {_name(name): _value(name, value) for name, value in headers.items()}


async def headers_of(source: HeaderSource | None) -> dict[str, str]:
    """The headers for one call; a function is asked anew each time."""
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return wire_headers(source)
    return wire_headers(await answer_of(source))


def header_pairs(headers: Mapping[str, str]) -> Headers:
    """The form a request carries."""
    return tuple(headers.items())


def joined(headers: Headers) -> dict[str, str]:
    """One value for each name, repeated ones joined as HTTP allows."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"headers: expected names of type str, got {name!r}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"headers: {name!r} is not a header name")
    lowered = name.lower()
    if lowered in _RESERVED:
        raise ValueError(f"headers: {lowered!r} is set by the client itself; leave it out")
    return lowered


def _value(name: str, value: str | Sequence[str]) -> str:
    if not isinstance(value, Sequence):
        raise TypeError(f"headers[{name!r}]: expected str or list, got {type(value).__name__}")
    values = [value] if isinstance(value, str) else value
    for item in values:
        if not isinstance(item, str):
            raise TypeError(f"headers[{name!r}]: expected str, got {type(item).__name__}")
        if not _VALUE.fullmatch(item):
            # The value may be a secret: it is not repeated here.
            raise ValueError(
                f"headers[{name!r}]: expected printable ASCII without line breaks; "
                "percent-encode anything else"
            )
    return ", ".join(values)
