"""The list of executions: a page of those that are looked for."""

from __future__ import annotations

from collections.abc import Mapping

from durable_execution.dashboard.desk import Desk, Query
from durable_execution.dashboard.filters import Filters, read_filters, written_instant
from durable_execution.errors import InvalidInputError


async def list_facts(desk: Desk, query: Query) -> Mapping[str, object]:
    """Search for a page.

    Raises:
        StorageError: The storage cannot be reached.
    """
    try:
        filters = read_filters(query)
        page = await desk.executor.search_stored_task_executions(filters.search())
    except InvalidInputError as error:
        return {"filters": Filters(), "records": (), "trouble": error.message, "next_query": None}
    cursor = page.next_cursor
    return {
        "filters": filters,
        "records": page.records,
        "trouble": None,
        "next_query": None if cursor is None else filters.after(cursor).query(),
    }


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
