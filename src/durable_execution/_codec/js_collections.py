"""Map and Set with JavaScript's idea of equality (WIRE.md 12).

Two keys are the same by SameValueZero: numbers by value (1 is 1.0, 0 is -0, NaN is NaN), text,
booleans and bigints by value among their own kind (True is not 1, and neither is bigint 1),
everything else by identity. So lists and dicts may be keys, and two equal lists are two keys.
Order is the order of insertion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSet
from typing import Generic, TypeVar

from .scalars import MAX_SAFE_INTEGER, BigInt, Url
from .undefined import Undefined

K = TypeVar("K")
V = TypeVar("V")

_NAN = ("number", "NaN")


class JsMap(MutableMapping[K, V], Generic[K, V]):
    """A JavaScript Map. Two are equal when they hold equal pairs in the same order."""

    __slots__ = ("_entries",)
    __hash__ = None  # type: ignore[assignment] # mutable, as dict is

    def __init__(self, pairs: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        self._entries: dict[object, tuple[K, V]] = {}
        for key, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            self[key] = value

    def __getitem__(self, key: K) -> V:
        try:
            return self._entries[_identity(key)][1]
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: K, value: V) -> None:
        slot = _identity(key)
        # A key that is there already stays the object it was, and keeps its place.
        kept = self._entries[slot][0] if slot in self._entries else key
        self._entries[slot] = (kept, value)

    def __delitem__(self, key: K) -> None:
        try:
            del self._entries[_identity(key)]
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[K]:
        return (key for key, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return _identity(key) in self._entries

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsMap):
            return NotImplemented
        return len(self) == len(other) and all(
            _equal(mine[0], theirs[0]) and _equal(mine[1], theirs[1])
            for mine, theirs in zip(self._entries.values(), other._entries.values(), strict=True)
        )

    def __repr__(self) -> str:
        return f"JsMap({list(self._entries.values())!r})"


class JsSet(MutableSet[V], Generic[V]):
    """A JavaScript Set. Two are equal when they hold equal elements in the same order."""

    __slots__ = ("_elements",)
    __hash__ = None  # type: ignore[assignment] # mutable, as set is

    def __init__(self, elements: Iterable[V] = ()) -> None:
        self._elements: dict[object, V] = {}
        for element in elements:
            self.add(element)

    def add(self, value: V) -> None:
        """Add at the end; an element that is there already stays where it is."""
        self._elements.setdefault(_identity(value), value)

    def discard(self, value: V) -> None:
        """Remove, or do nothing when it is not there."""
        self._elements.pop(_identity(value), None)

    def __iter__(self) -> Iterator[V]:
        return iter(self._elements.values())

    def __len__(self) -> int:
        return len(self._elements)

    def __contains__(self, value: object) -> bool:
        return _identity(value) in self._elements

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsSet):
            return NotImplemented
        return len(self) == len(other) and all(map(_equal, self, other))

    def __repr__(self) -> str:
        return f"JsSet({list(self)!r})"


def _identity(value: object) -> object:
    """What tells this value from others, as a dict key."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, float):
        return value if value == value else _NAN
    if isinstance(value, int):
        is_bigint = isinstance(value, BigInt) or abs(value) > MAX_SAFE_INTEGER
        return ("bigint", int(value)) if is_bigint else value
    if isinstance(value, str) and not isinstance(value, Url):
        return value
    if value is None or isinstance(value, Undefined):
        return value
    return ("object", id(value))


def _equal(mine: object, theirs: object) -> bool:
    slot = _identity(mine)
    if slot == _identity(theirs):
        return True
    by_identity = isinstance(slot, tuple) and slot[0] == "object"
    return by_identity and type(mine) is type(theirs) and mine == theirs
