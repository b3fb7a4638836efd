"""The input of `listTaskExecutions`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec

from durable_execution._codec import UNDEFINED, Schema
from durable_execution._core.found import SearchOrder
from durable_execution._core.labels import checked_tags
from durable_execution._core.limits import MAX_EXECUTION_ID_LENGTH, check_between
from durable_execution._core.status import Status
from durable_execution.errors import InvalidOptionError
from durable_execution.remote.calls.fields import Id, read_fields, refused

Range: TypeAlias = tuple[datetime | None, datetime | None]
"""From the first instant on, before the second."""

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_KEYS: Final = 1000
MAX_CURSOR_LENGTH: Final = 1000


class ListTaskExecutions(NamedTuple):
    """What `listTaskExecutions` is called with; None for what is not asked."""

    task_keys: list[str] | None = None
    statuses: list[Status] | None = None
    created: Range = (None, None)
    finished: Range = (None, None)
    parent_execution_id: str | None = None
    root_execution_id: str | None = None
    is_root: bool | None = None
    tags: Mapping[str, str] | None = None
    id_prefix: str | None = None
    order: SearchOrder = "newest_first"
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT


def write_list(filters: ListTaskExecutions) -> dict[str, object]:
    """Write the input of `listTaskExecutions`, without what is not asked.

    Raises:
        InvalidOptionError: A tag or the limit is out of bounds, or an instant has no time zone.
    """
    check_between("limit", filters.limit, 1, MAX_LIMIT, whole=True)
    call: dict[str, object] = {
        "taskIds": filters.task_keys,
        "statuses": filters.statuses,
        "createdFrom": _aware("created_from", filters.created[0]),
        "createdBefore": _aware("created_before", filters.created[1]),
        "finishedFrom": _aware("finished_from", filters.finished[0]),
        "finishedBefore": _aware("finished_before", filters.finished[1]),
        "parentExecutionId": filters.parent_execution_id,
        "rootExecutionId": filters.root_execution_id,
        "isRoot": filters.is_root,
        "tags": None if filters.tags is None else dict(checked_tags(filters.tags)),
        "idPrefix": filters.id_prefix,
        "order": filters.order,
        "cursor": filters.cursor,
        "limit": filters.limit,
    }
    return {name: value for name, value in call.items() if value is not None}


def read_list(value: object) -> ListTaskExecutions:
    """Read the input of `listTaskExecutions`, which may be missing.

    Raises:
        ValidationFailed: A field is of the wrong type or out of bounds.
    """
    call, _ = read_fields(_LIST, {} if value is UNDEFINED else value)
    try:
        tags = None if call.tags is None else dict(checked_tags(call.tags))
    except InvalidOptionError as error:
        raise refused(("tags",), error.message) from error
    return ListTaskExecutions(
        task_keys=call.task_ids,
        statuses=call.statuses,
        created=(call.created_from, call.created_before),
        finished=(call.finished_from, call.finished_before),
        parent_execution_id=call.parent_execution_id,
        root_execution_id=call.root_execution_id,
        is_root=call.is_root,
        tags=tags,
        id_prefix=call.id_prefix,
        order=call.order,
        cursor=call.cursor,
        limit=call.limit,
    )


_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_ExecutionId = Annotated[
    str, msgspec.Meta(pattern=rf"^[\x21-\x7e]{{1,{MAX_EXECUTION_ID_LENGTH}}}\Z")
]


class _List(msgspec.Struct, rename="camel"):
    task_ids: Annotated[list[Id], msgspec.Meta(max_length=MAX_KEYS)] | None = None
    statuses: Annotated[list[Status], msgspec.Meta(max_length=MAX_KEYS)] | None = None
    created_from: _Instant | None = None
    created_before: _Instant | None = None
    finished_from: _Instant | None = None
    finished_before: _Instant | None = None
    parent_execution_id: _ExecutionId | None = None
    root_execution_id: _ExecutionId | None = None
    is_root: bool | None = None
    tags: dict[str, str] | None = None
    id_prefix: _ExecutionId | None = None
    order: SearchOrder = "newest_first"
    cursor: Annotated[str, msgspec.Meta(max_length=MAX_CURSOR_LENGTH)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT


_LIST: Final[Schema[_List]] = Schema(_List)


def _aware(name: str, instant: object) -> object:
    if instant is not None and (not isinstance(instant, datetime) or instant.tzinfo is None):
        raise InvalidOptionError(f"{name} must be an aware datetime, got {instant!r}")
    return instant
