"""Which rows of a tree one retry reopens, found inside the transaction that writes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import (
    MAX_REOPENED,
    NO_FAMILY,
    Family,
    Refusal,
    Reopening,
    reopen,
)

FamiliesOf = Callable[[Sequence[str]], Awaitable[Mapping[str, Family]]]
"""Returns what is below some rows; those that have no children may be left out."""

FAMILIES_AT_ONCE: Final = 200


async def rows_to_reopen(
    root: ExecutionRecord, families_of: FamiliesOf, *, now: int, limit: int = MAX_REOPENED
) -> list[Reopening] | Refusal:
    """Return what becomes of the rows of a tree whose root has failed, parents before children."""
    if root.parent_execution_id is not None:
        return "child"
    found: list[Reopening] = []
    level = [root]
    while level:
        below: list[ExecutionRecord] = []
        for first in range(0, len(level), FAMILIES_AT_ONCE):
            rows = level[first : first + FAMILIES_AT_ONCE]
            families = await families_of([row.execution_id for row in rows if _has_spawned(row)])
            for row in rows:
                decided = reopen(row, families.get(row.execution_id, NO_FAMILY), now=now)
                if isinstance(decided, str):
                    return decided
                found.append(decided)
                below += decided.repeated
            if len(found) + len(below) > limit:
                return "too_large"
        level = below
    return found


def families_among(
    failed: Iterable[ExecutionRecord], counts: Iterable[tuple[str, int]]
) -> dict[str, Family]:
    """Return families by parent: of children that failed or finalize, and of numbers of others."""
    ordinary: dict[str, list[ExecutionRecord]] = {}
    finalizes: dict[str, ExecutionRecord] = {}
    for row in failed:
        parent_id = str(row.parent_execution_id)
        if not row.is_finalize:
            ordinary.setdefault(parent_id, []).append(row)
        elif (
            parent_id not in finalizes or finalizes[parent_id].index_in_parent < row.index_in_parent
        ):
            finalizes[parent_id] = row
    numbers = dict(counts)
    return {
        parent_id: Family(
            children_count=numbers.get(parent_id, 0),
            failed=tuple(ordinary.get(parent_id, ())),
            finalize=finalizes.get(parent_id),
        )
        for parent_id in {*ordinary, *finalizes, *numbers}
    }


def _has_spawned(row: ExecutionRecord) -> bool:
    return row.waiting_for_children_at is not None
