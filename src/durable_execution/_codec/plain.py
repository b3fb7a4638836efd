"""Values that need no walk: msgspec writes them exactly as JavaScript would, without a tag."""

from __future__ import annotations

from collections.abc import Iterable

from .scalars import MAX_SAFE_INTEGER


def is_plain(value: object, depth: int, budget: list[int]) -> bool:
    """Whether a value is plain as a whole.

    Args:
        value: what is to be encoded.
        depth: levels of nesting left; a deeper value is not plain.
        budget: one number, how many values are left; shared by the recursion.
    """
    if type(value) is dict:
        # By exact type: a str subclass may be an Enum or a Url, which mean something else.
        if "__proto__" in value or not all(type(key) is str for key in value):
            return False
        return _are_plain(value.values(), len(value), depth, budget)
    if type(value) is list:
        return _are_plain(value, len(value), depth, budget)
    return is_plain_leaf(value)


def is_plain_leaf(value: object) -> bool:
    """Whether a single value is plain; containers are not single values."""
    kind = type(value)
    if kind is float:
        # Outside of these bounds, and for whole numbers, msgspec's notation differs.
        return 1e-4 <= abs(value) < 1e15 and not value.is_integer()  # type: ignore[arg-type, attr-defined]
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER  # type: ignore[operator]
    return value is None or kind is str or kind is bool


def _are_plain(items: Iterable[object], count: int, depth: int, budget: list[int]) -> bool:
    budget[0] -= count
    if depth < 1 or budget[0] < 0:
        return False
    for item in items:
        kind = type(item)
        # Most values are one of these; a call for each would double the time.
        if kind is str or item is None or kind is bool:
            continue
        if not is_plain(item, depth - 1, budget):
            return False
    return True
