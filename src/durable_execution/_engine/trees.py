"""Reading a tree of executions: so many of it, so deep, and for so long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from durable_execution._core.past import NO_PAST, Past, may_have_past
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.protocol import Storage
from durable_execution.storage.search import MAX_PAGE, Search

MAX_DEPTH: Final = 100
"""Generations that are shown below the first. Who shows a tree may go down it by recursion."""

_ROWS: Final = 2_000
"""Children that are read together, without payloads."""
_PARENTS: Final = 200
_FEW: Final = 16
"""Rows that are read together with their payloads, until it is known that they are small."""
_MANY: Final = 256


@dataclass(slots=True)
class Grown:
    """An execution in a tree."""

    record: ExecutionRecord
    left_out: int = 0
    """Children that are not shown, as far as is known."""
    has_payloads: bool = True
    """Whether the row was read with them; without, it is as lists have it."""
    past: Past = NO_PAST
    """Read with the payloads."""


class Bounds:
    """How much of a tree is read.

    Args:
        rows: Below the first.
        payload_bytes: Of inputs, outputs and tracebacks; None for all there are. Those of the
            first are read in any case.
        seconds: After which nothing more is read; None for as long as it takes.
    """

    def __init__(
        self, *, rows: int, payload_bytes: int | None = None, seconds: float | None = None
    ) -> None:
        self.rows = rows
        self.payload_bytes = payload_bytes
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return self._end is not None and time.monotonic() >= self._end


async def tree_below(storage: Storage, top: ExecutionRecord, bounds: Bounds) -> list[Grown]:
    """Read what is below a row that was read with its payloads: parents come before children.

    Children have their order, finalize children come last. What is left out, because of a bound or
    below `MAX_DEPTH`, is counted where it would be.

    Raises:
        StorageError: The storage cannot be reached.
    """
    first = Grown(top, past=(await pasts_of(storage, [top]))[0])
    tree, level = [first], [first] if _has_children(top) else []
    for _ in range(MAX_DEPTH):
        below: list[Grown] = []
        for parents in _together(level):
            children = await _children_of(storage, parents, bounds, len(tree) - 1)
            tree += children
            below += (each for each in children if _has_children(each.record))
        level = below
    for parent in level:
        parent.left_out = _expected(parent.record)
    await _read_payloads(storage, tree[1:], bounds)
    return tree


def _has_children(record: ExecutionRecord) -> bool:
    return record.waiting_for_children_at is not None


def _expected(record: ExecutionRecord) -> int:
    """How many children there are at least, as the row has it."""
    return record.children_count + (record.waiting_for_finalize_at is not None)


def _together(level: Sequence[Grown]) -> Iterator[list[Grown]]:
    """Part parents into groups whose children are read at once."""
    group: list[Grown] = []
    rows = 0
    for parent in level:
        expected = _expected(parent.record)
        if group and (len(group) >= _PARENTS or rows + expected > _ROWS):
            yield group
            group, rows = [], 0
        group.append(parent)
        rows += expected
    if group:
        yield group


async def _children_of(
    storage: Storage, parents: Sequence[Grown], bounds: Bounds, read: int
) -> list[Grown]:
    left = bounds.rows - read
    if left <= 0 or bounds.is_late:
        for parent in parents:
            parent.left_out = _expected(parent.record)
        return []
    if len(parents) == 1 and _expected(parents[0].record) > _ROWS:
        return await _first_of_many(storage, parents[0], left, bounds)
    by_id = {parent.record.execution_id: parent for parent in parents}
    found = await storage.children_of(list(by_id), with_payloads=False)
    for each in found[left:]:
        by_id[str(each.parent_execution_id)].left_out += 1
    return [Grown(each, has_payloads=False) for each in found[:left]]


async def _first_of_many(storage: Storage, parent: Grown, left: int, bounds: Bounds) -> list[Grown]:
    """Read the first children of a loop, which has one for every turn, page by page."""
    found: list[Grown] = []
    cursor = None
    while len(found) < left and not bounds.is_late:
        page = await storage.search(
            Search(
                parent_execution_id=parent.record.execution_id,
                order="oldest_first",
                cursor=cursor,
                limit=min(left - len(found), MAX_PAGE),
            )
        )
        found += (Grown(each, has_payloads=False) for each in page.records)
        cursor = page.next_cursor
        if cursor is None:
            break
    parent.left_out = max(0, _expected(parent.record) - len(found))
    return found


async def _read_payloads(storage: Storage, below: Sequence[Grown], bounds: Bounds) -> None:
    """Read rows again as they are now, with payloads, until the bound is reached."""
    count, start, used = _FEW, 0, 0
    most = bounds.payload_bytes
    while start < len(below) and not bounds.is_late:
        some = below[start : start + count]
        records = await storage.get([each.record.execution_id for each in some])
        pasts = await pasts_of(storage, records)
        size = 0
        for each, record, past in zip(some, records, pasts, strict=True):
            if record is None:
                continue  # deleted meanwhile: it is shown as it was
            size += payload_size(record) + _size_of(past)
            if most is not None and used + size > most:
                return
            each.record, each.past, each.has_payloads = record, past, True
        used, start = used + size, start + count
        is_small = most is None or size * 8 < most
        count = min(2 * count, _MANY) if is_small else _FEW


async def pasts_of(storage: Storage, records: Sequence[ExecutionRecord | None]) -> list[Past]:
    """Return the past of rows, in their order; asks only for those that may have any."""
    ids = [each.execution_id for each in records if each is not None and may_have_past(each)]
    found = dict(zip(ids, await storage.past_of(ids), strict=True)) if ids else {}
    return [NO_PAST if each is None else found.get(each.execution_id, NO_PAST) for each in records]


def _size_of(past: Past) -> int:
    errors = [each.error for each in past.attempts if each.error is not None]
    return sum(len(error.message) + len(error.traceback or "") for error in errors)


def payload_size(record: ExecutionRecord) -> int:
    """Bytes of a row that lists do without, its past aside."""
    traceback = record.error.traceback if record.error is not None else ""
    return len(record.input) + len(record.output or b"") + len(traceback or "")
