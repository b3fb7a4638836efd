"""Which rows of finished trees one call deletes: whole trees where they fit, else from below."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

ChildrenOf = Callable[[Sequence[str], int], Awaitable[list[str]]]
"""Returns the ids of children of these rows, in any order, at most so many."""


class Felling(NamedTuple):
    """Rows to delete, and the roots of their trees, which may be among them."""

    rows: Sequence[str]
    roots: Sequence[str]


async def rows_to_delete(roots: Sequence[str], limit: int, children_of: ChildrenOf) -> Felling:
    """Return at most `limit` rows: the trees of as many of these roots as fit, whole.

    When the first tree alone is larger, these are rows of it that have nothing below them, or
    nothing but one another. What is above stays reachable for the next call, and the root, by
    which the tree is found, goes last.
    """
    while True:
        rows, is_whole = await _trees(roots, limit, children_of)
        if is_whole or len(roots) <= 1:
            return Felling(rows, roots)
        roots = roots[: len(roots) // 2]


async def _trees(
    roots: Sequence[str], limit: int, children_of: ChildrenOf
) -> tuple[Sequence[str], bool]:
    rows, level, is_whole = list(roots), list(roots), True
    while level:
        level = await children_of(level, limit + 1)
        if len(rows) + len(level) <= limit:
            rows += level
            continue
        if len(roots) > 1:
            return [], False
        # Begin anew further down: whatever is above has children that are left out.
        level = level[:limit]
        rows, is_whole = list(level), False
    return rows, is_whole
