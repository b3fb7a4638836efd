"""A search for rows: what to look for, in which order, and from where on.

`Search.matches` is the meaning of the filters. Pages follow one another by the id of the last row,
so that the thousandth page costs what the first did, and rows that come or go meanwhile make no
other row appear twice or not at all.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from durable_execution._core.found import SearchOrder
from durable_execution._core.limits import MAX_EXECUTION_ID_LENGTH
from durable_execution._core.record import ExecutionRecord, Tags
from durable_execution._core.status import Status
from durable_execution.errors import InvalidInputError

MAX_PAGE: Final = 1000
"""Rows of one page at most."""
_LONGEST_CURSOR: Final = 6 * MAX_EXECUTION_ID_LENGTH


class Span(NamedTuple):
    """The ids among which to look; None is no bound."""

    id_from: str | None
    id_after: str | None
    id_before: str | None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that match, in the order asked for.

    `next_cursor` goes into the same search to get what follows; None says that nothing did.
    """

    records: tuple[ExecutionRecord, ...]
    next_cursor: str | None = None


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows to find: all that is given must hold. A range includes `from`, but not `before`.

    `root_execution_id` finds what is below a root at any depth, without the root itself. The order
    is that of the ids, which is that of creation; `id_from` and `id_before` bound what is looked
    at, and with it the time that a search takes.

    Raises:
        InvalidInputError: The limit is out of bounds.
    """

    task_ids: frozenset[str] | None = None
    statuses: frozenset[Status] | None = None
    created_from: int | None = None
    created_before: int | None = None
    finished_from: int | None = None
    finished_before: int | None = None
    parent_execution_id: str | None = None
    root_execution_id: str | None = None
    is_root: bool | None = None
    tags: Tags = ()
    id_from: str | None = None
    id_before: str | None = None
    order: SearchOrder = "newest_first"
    cursor: str | None = None
    limit: int = 100
    with_payloads: bool = False
    """Without, `input` is empty and `run_output`, `output` and `traceparent` are None: cheap, for
    lists."""

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_PAGE:
            raise InvalidInputError(f"limit must be 1 to {MAX_PAGE}, got {self.limit}")

    def matches(self, record: ExecutionRecord) -> bool:
        """Whether the row is one that is looked for, wherever its id is."""
        return (
            (self.task_ids is None or record.task_id in self.task_ids)
            and (self.statuses is None or record.status in self.statuses)
            and _is_within(record.created_at, self.created_from, self.created_before)
            and _is_within(record.finished_at, self.finished_from, self.finished_before)
            and self._is_placed(record)
            and set(self.tags) <= set(record.tags)
        )

    def span(self) -> Span:
        """Return the ids among which the page is.

        Raises:
            InvalidInputError: The cursor is not one of a search in this order.
        """
        last_id = None if self.cursor is None else _last_id(self.cursor, self.order)
        if self.order == "oldest_first":
            return Span(self.id_from, last_id, self.id_before)
        bounds = [bound for bound in (last_id, self.id_before) if bound is not None]
        return Span(self.id_from, None, min(bounds, default=None))

    def page(self, found: Sequence[ExecutionRecord]) -> Page:
        """Make a page of up to one row more than the limit, which tells that there are more."""
        records = tuple(found[: self.limit])
        if len(found) <= self.limit:
            return Page(records=records)
        return Page(records=records, next_cursor=_cursor(self.order, records[-1].execution_id))

    def _is_placed(self, record: ExecutionRecord) -> bool:
        parent_id, root_id = record.parent_execution_id, record.root_execution_id
        return (
            (self.parent_execution_id is None or parent_id == self.parent_execution_id)
            and (self.root_execution_id is None or root_id == self.root_execution_id)
            and (self.is_root is None or (parent_id is None) == self.is_root)
        )


def _is_within(instant: int | None, first: int | None, before: int | None) -> bool:
    if first is None and before is None:
        return True
    return (
        instant is not None
        and (first is None or instant >= first)
        and (before is None or instant < before)
    )


def _cursor(order: SearchOrder, last_id: str) -> str:
    text = f"{order[0]}{last_id}".encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _last_id(cursor: str, order: SearchOrder) -> str:
    # Compared with what it would have been, because base64 passes over letters it does not know.
    if len(cursor) <= _LONGEST_CURSOR and cursor.isascii():
        try:
            text = base64.urlsafe_b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}").decode()
        except (binascii.Error, ValueError):
            text = ""
        last_id = text[1:]
        if last_id and "\0" not in last_id and cursor == _cursor(order, last_id):
            return last_id
    raise InvalidInputError(
        f"cursor is not one that a search with order {order!r} returned; "
        "take next_cursor of the page before, or leave it out to begin anew"
    )
