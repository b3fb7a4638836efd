"""The list of executions: a page of those that are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from durable_execution.dashboard.desk import Desk, Query
from durable_execution.dashboard.filters import Filters, read_filters, written_instant
from durable_execution.dashboard.reach import since_of
from durable_execution.dashboard.words import instant_of
from durable_execution.errors import InvalidInputError

WALKED: Final = 100_000
"""Executions among which is looked for what no index leads to, about, unless more is asked for."""
_MINUTE_MS: Final = 60_000
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Final[Mapping[str, object]] = {
    "filters": Filters(),
    "since": None,
    "further_query": "",
    "records": (),
    "next_query": None,
}


async def list_facts(desk: Desk, query: Query) -> Mapping[str, object]:
    """Search for a page.

    Raises:
        StorageError: The storage cannot be reached.
    """
    since: datetime | None = None
    try:
        filters = read_filters(query)
        if not filters.is_led:
            since = await _reachable(desk)
        wanted = filters if since is None else replace(filters, created_from=since)
        page = await desk.executor.search_stored_task_executions(wanted.search())
    except InvalidInputError as error:
        return {**_NOTHING, "trouble": error.message}
    cursor = page.next_cursor
    return {
        "filters": filters,
        "since": since,
        "further_query": replace(filters, created_from=_BEFORE_ALL).query(),
        "records": page.records,
        "trouble": None,
        "next_query": None if cursor is None else filters.after(cursor).query(),
    }


async def _reachable(desk: Desk) -> datetime | None:
    since = await since_of(desk.executor, WALKED)
    # By the minute: it is told to the minute.
    return None if since is None else instant_of(max(0, since) // _MINUTE_MS * _MINUTE_MS)


def list_frame(query: Query) -> Mapping[str, object]:
    """Say what stands in the fields: what was typed, right or wrong."""
    try:
        filters = read_filters(query)
    except InvalidInputError:
        filters = None
    typed = {name: next(iter(values), "") for name, values in query.items()}
    fields = {name: typed.get(name, "") for name in ("id", "task", "tag", "from", "before")}
    if filters is not None:
        instants = {"from": filters.created_from, "before": filters.created_before}
        fields |= {name: written_instant(at) for name, at in instants.items() if at is not None}
    return {
        "fields": fields,
        "chosen": frozenset(query.get("status", ())),
        "roots_only": bool(typed.get("roots")),
        "is_narrowed": filters is None or filters.is_narrowed,
        "is_first_page": filters is None or filters.cursor is None,
        "first_query": "" if filters is None else filters.first_page().query(),
    }
