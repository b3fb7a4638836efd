"""Headers of a request, decoded when somebody looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar, overload

from durable_execution.orpc._protocol import Headers, first_header

T = TypeVar("T")


class RequestHeaders(Mapping[str, str]):
    """Headers of the request by name in any case; repeated ones joined, as Node.js does."""

    __slots__ = ("_joined", "_pairs", "_raw", "found")

    found: dict[bytes, bytes] | None
    """By name and not decoded, where that is known and no header is repeated."""

    def __init__(self, headers: Headers = ()) -> None:
        self._pairs: Headers | None = headers
        self._joined: dict[str, str] | None = None
        self._raw: Sequence[tuple[bytes, bytes]] = ()
        self.found = None

    @property
    def pairs(self) -> Headers:
        """Name and value of each line."""
        if self._pairs is None:
            # Of a list: a generator takes a third longer.
            self._pairs = tuple(
                [(_name(name), value.decode("latin-1")) for name, value in self._raw]
            )
        return self._pairs

    def first(self, name: str) -> str | None:
        """The first line of a lower-case name."""
        if self.found is not None:
            value = self.found.get(_key(name))
            return None if value is None else value.decode("latin-1")
        return first_header(self.pairs, name)

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: object = None) -> object:
        """The value of a name, or the default."""
        value: str | None
        if self.found is not None:
            raw = self.found.get(_key(name))
            value = None if raw is None else raw.decode("latin-1")
        else:
            value = self._values.get(name.lower())
        return default if value is None else value

    @property
    def _values(self) -> dict[str, str]:
        """Made when it is first asked for: most procedures look at no header."""
        if self._joined is None:
            values: dict[str, str] = {}
            for name, value in self.pairs:
                key = name.lower()
                joint = "; " if key == "cookie" else ", "
                values[key] = f"{values[key]}{joint}{value}" if key in values else value
            self._joined = values
        return self._joined

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # Values carry credentials, and a repr ends up in logs.
        return f"RequestHeaders({', '.join(self._values)})"


class ScopeHeaders(RequestHeaders):
    """Those of an ASGI scope, whose names are in lower case."""

    __slots__ = ()

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        found = dict(raw)
        self.found = found if len(found) == len(raw) else None
        self._raw = raw
        self._pairs = self._joined = None


@lru_cache(maxsize=512)
def _key(name: str) -> bytes:
    """The name as servers write it; kept, because few are asked for."""
    return name.lower().encode("latin-1", "replace")


@lru_cache(maxsize=512)
def _name(name: bytes) -> str:
    return name.decode("latin-1").lower()
