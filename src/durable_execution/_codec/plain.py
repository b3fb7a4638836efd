"""Values that need no walk: msgspec writes them exactly as JavaScript would, without a tag."""

from __future__ import annotations

from collections.abc import Collection

from .scalars import MAX_SAFE_INTEGER

_ALWAYS_PLAIN = frozenset({str, bool, type(None)})


def is_plain(value: object, depth: int, budget: list[int]) -> bool:
    """Whether a value is plain as a whole. Written for speed: most values pass only here.

    Args:
        value: what is to be encoded.
        depth: levels of nesting left; a deeper value is not plain.
        budget: one number, how many values are left; shared by the recursion.
    """
    items: Collection[object]
    if type(value) is dict:
        # By exact type: a str subclass may be an Enum or a Url, which mean something else.
        for key in value:
            if type(key) is not str:
                return False
        if "__proto__" in value:
            return False
        items = value.values()
    elif type(value) is list:
        items = value
    else:
        return is_plain_leaf(value)
    budget[0] -= len(items)
    if depth < 1 or budget[0] < 0:
        return False
    for item in items:
        if type(item) not in _ALWAYS_PLAIN and not is_plain(item, depth - 1, budget):
            return False
    return True


def is_plain_leaf(value: object) -> bool:
    """Whether a single value is plain; containers are not single values."""
    kind = type(value)
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER  # type: ignore[operator]
    if kind is float:
        # Outside of these bounds, and for whole numbers, msgspec's notation differs.
        return 1e-4 <= abs(value) < 1e15 and not value.is_integer()  # type: ignore[arg-type, attr-defined]
    return kind in _ALWAYS_PLAIN
