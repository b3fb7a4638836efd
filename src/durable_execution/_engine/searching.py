"""From what a caller looks for to a search that a storage understands, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, get_args

from durable_execution._core.found import SearchOrder
from durable_execution._core.labels import checked_tags
from durable_execution._core.limits import MAX_EXECUTION_ID_LENGTH
from durable_execution._core.status import STATUSES, Status
from durable_execution._engine.ids import newest_id_before, oldest_id_after
from durable_execution.errors import InvalidInputError
from durable_execution.storage.search import MAX_PAGE, Search

Range: TypeAlias = tuple[datetime | None, datetime | None]
"""From the first instant on, before the second."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_ORDERS: Final[tuple[str, ...]] = get_args(SearchOrder)
_EXECUTION_ID: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_EXECUTION_ID_LENGTH}}}")


def search_for(
    *,
    task_ids: frozenset[str] | None,
    statuses: Iterable[Status] | None,
    created: Range,
    finished: Range,
    parent_execution_id: str | None,
    root_execution_id: str | None,
    is_root: bool | None,
    tags: Mapping[str, str] | None,
    id_prefix: str | None = None,
    order: SearchOrder,
    cursor: str | None,
    limit: int,
) -> Search:
    """Build a search.

    Raises:
        InvalidInputError: A value is malformed; the message names it.
        InvalidOptionError: A tag is malformed.
    """
    if order not in _ORDERS:
        raise InvalidInputError(f"order must be one of {', '.join(_ORDERS)}, got {order!r}")
    _check_type("is_root", is_root, bool)
    _check_type("cursor", cursor, str)
    if type(limit) is not int:
        raise InvalidInputError(f"limit must be 1 to {MAX_PAGE}, got {type(limit).__name__}")
    created_from, created_before = _milliseconds("created", created)
    finished_from, finished_before = _milliseconds("finished", finished)
    # What was created later cannot have finished before.
    ends = [end for end in (created_before, finished_before) if end is not None]
    prefix = _checked_id("id_prefix", id_prefix)
    id_from = None if created_from is None else newest_id_before(created_from)
    id_before = oldest_id_after(min(ends)) if ends else None
    if prefix is not None:
        # Above whatever an id may have in it.
        id_from, id_before = max(prefix, id_from or ""), min(f"{prefix}~", id_before or "~")
    return Search(
        task_ids=task_ids,
        statuses=None if statuses is None else _checked_statuses(statuses),
        created_from=created_from,
        created_before=created_before,
        finished_from=finished_from,
        finished_before=finished_before,
        parent_execution_id=_checked_id("parent_execution_id", parent_execution_id),
        root_execution_id=_checked_id("root_execution_id", root_execution_id),
        is_root=is_root,
        tags=() if tags is None else checked_tags(tags),
        id_from=id_from,
        id_before=id_before,
        order=order,
        cursor=cursor,
        limit=limit,
    )


def _checked_statuses(statuses: Iterable[Status]) -> frozenset[Status]:
    each = frozenset(statuses)
    if isinstance(statuses, str) or not each <= STATUSES:
        raise InvalidInputError(
            f"statuses must be several of {', '.join(sorted(STATUSES))}, got {statuses!r}"
        )
    return each


def _milliseconds(name: str, instants: Range) -> tuple[int | None, int | None]:
    return _millisecond(f"{name}_from", instants[0]), _millisecond(f"{name}_before", instants[1])


def _millisecond(name: str, instant: object) -> int | None:
    if instant is None:
        return None
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise InvalidInputError(f"{name} must be an aware datetime, got {instant!r}")
    # Rounded up: a whole millisecond lies before an instant when it lies before the next whole one.
    return -((_EPOCH - instant) // _MILLISECOND)


def _checked_id(name: str, execution_id: object) -> str | None:
    if execution_id is None:
        return None
    if not isinstance(execution_id, str) or not _EXECUTION_ID.fullmatch(execution_id):
        raise InvalidInputError(f"{name} must be the id of an execution")
    return execution_id


def _check_type(name: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise InvalidInputError(f"{name} must be {kind.__name__}, got {type(value).__name__}")
