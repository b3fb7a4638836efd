"""Names that are allowed: some of them listed, some described."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from durable_execution.errors import InvalidOptionError

Patterns: TypeAlias = str | Iterable[str]
"""Names, or one of them. A `*` stands for any text, also none: `"*"` is all of them."""

ANY: Final = "*"


class Names:
    """A set of names that need not be listed one by one; what is not allowed is not in it.

    Raises:
        InvalidOptionError: A pattern is no text, or empty.
    """

    __slots__ = ("_described", "_listed", "_patterns")

    def __init__(self, what: str, patterns: Patterns) -> None:
        given = frozenset({patterns} if isinstance(patterns, str) else patterns)
        unchecked: Iterable[object] = given
        for each in unchecked:
            if not isinstance(each, str) or not each:
                raise InvalidOptionError(f"{what}: expected non-empty names, got {each!r}")
        self._patterns: Final = given
        self._listed: Final = frozenset(each for each in given if ANY not in each)
        described = "|".join(_expression(each) for each in sorted(given - self._listed))
        self._described: Final = re.compile(described, re.DOTALL) if described else None

    @property
    def is_all(self) -> bool:
        """Whether every name is in it."""
        return ANY in self._patterns

    def lists(self, name: str) -> bool:
        """Whether a name is in it by itself, and not because of a `*`."""
        return name in self._listed

    def __contains__(self, name: str) -> bool:
        if name in self._listed or self.is_all:
            return True
        return self._described is not None and self._described.fullmatch(name) is not None

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, sorted(self._patterns))) + "}"


def _expression(pattern: str) -> str:
    return ".*".join(map(re.escape, re.sub(r"\*+", ANY, pattern).split(ANY)))
