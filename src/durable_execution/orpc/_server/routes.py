"""Which procedure answers at a path: looked up in one table, which lazy parts extend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from durable_execution.orpc._server.lazy import Lazy, LazyRouterError
from durable_execution.orpc._server.procedure import Procedure
from durable_execution.orpc._server.router import Router, flatten

# A lazy part may hold lazy parts; this many one behind the other is no router any more.
_MOST_LOADS: Final = 64


@dataclass(frozen=True, slots=True)
class Match:
    """A procedure that was found, and where."""

    path: tuple[str, ...]
    procedure: Procedure
    is_lasting: bool = True
    """Whether the same path will always lead here."""


class Routes:
    """The procedures of a router by their encoded path (see `match_key`).

    Raises:
        TypeError: A name is not text, or something is neither a procedure nor a router.
        ValueError: The router contains itself, or a name cannot stand in a URL.
    """

    def __init__(self, router: Router | Procedure | Lazy) -> None:
        self._matches: dict[str, Match] = {}
        self._lazy: dict[str, tuple[tuple[str, ...], Lazy]] = {}
        self._add(flatten(router))

    async def find(self, key: str) -> Match | None:
        """What answers at a path; loads the lazy parts it leads through.

        A part that cannot be loaded gives a procedure that raises `LazyRouterError`, so that its
        callers are answered and the log tells why.
        """
        match = self._matches.get(key)
        if match is not None or not self._lazy:
            return match
        for _ in range(_MOST_LOADS):
            place = next((place for place in _starts_of(key) if place in self._lazy), None)
            if place is None:
                return self._matches.get(key)
            path, part = self._lazy[place]
            try:
                self._put(place, path, part, await part.load())
            except Exception as error:
                return Match(path, _failing(path, part, error), is_lasting=False)
        endless = RecursionError("it loads lazy parts without an end")
        return Match((), _failing((), part, endless), is_lasting=False)

    def _put(
        self, place: str, path: tuple[str, ...], part: Lazy, loaded: Router | Procedure | Lazy
    ) -> None:
        """Replace a part by its content, unless a call that waited for the same one did so."""
        if self._lazy.get(place) != (path, part):
            return
        found = flatten(loaded, path)
        del self._lazy[place]
        self._add(found)

    def _add(self, found: dict[str, tuple[tuple[str, ...], Procedure | Lazy]]) -> None:
        for key, (path, node) in found.items():
            if isinstance(node, Lazy):
                self._lazy[key] = (path, node)
            else:
                self._matches[key] = Match(path, node)


def _starts_of(key: str) -> Iterator[str]:
    """Every place on the way down to a path, and the path itself: `/`, `/a`, `/a/b`."""
    yield "/"
    cut = key.find("/", 1)
    while cut >= 0:
        yield key[:cut]
        cut = key.find("/", cut + 1)
    yield key


def _failing(path: tuple[str, ...], part: Lazy, error: Exception) -> Procedure:
    def fail() -> None:
        where = ".".join(("router", *path))
        raise LazyRouterError(f"{where}: {part!r} cannot be loaded: {error}") from error

    return Procedure(
        function=fail,
        parameters=0,
        middlewares=(),
        input=None,
        input_at=0,
        output=None,
        output_at=0,
        errors={},
        # No method is the wrong one for it: what matters is that it failed.
        method="GET",
    )
