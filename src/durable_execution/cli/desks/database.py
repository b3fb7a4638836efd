"""The desk of a database: the storage itself, and no executor.

It runs nothing, loads no task, and takes part in nothing but what a command asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, cast

import msgspec

from durable_execution._codec import Encoded, dumps, loads
from durable_execution._core import transitions
from durable_execution._core.found import ExecutionStats
from durable_execution._core.labels import checked_label
from durable_execution._core.limits import DEFAULT_TIMEOUT_MS, MAX_DURATION_MS, check_task_id, to_ms
from durable_execution._core.offspring import Seed, root_record
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryOptions
from durable_execution._core.watching import START, next_news
from durable_execution._engine.compose import new_root
from durable_execution._engine.ids import new_execution_id, newest_id_before, oldest_id_after
from durable_execution._engine.interventions import refusal_of
from durable_execution._engine.options import ExecutorOptions
from durable_execution._engine.searching import search_for
from durable_execution._engine.stats import stats_of
from durable_execution._engine.trees import Bounds, Grown, pasts_of, tree_below
from durable_execution.cli.desks.branches import tree_of
from durable_execution.cli.desks.desk import Branch, Desk, Facts, Filters, Listed, Order, Progress
from durable_execution.cli.exits import MISUSED, CommandError
from durable_execution.errors import (
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    to_stored_error,
)
from durable_execution.remote.listed import wire_entry
from durable_execution.remote.operated import wire_branch, wire_operated
from durable_execution.storage import SqlStorage, Storage, open_storage
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

LOOK_INTERVAL: Final = 0.25
"""Seconds between two looks at what is watched."""
COUNTED_AT_MOST: Final = 10_000
_DELETED_AT_ONCE: Final = 500


@asynccontextmanager
async def database_desk(url: str, table: str | None) -> AsyncIterator[Desk]:
    """Open the database. Its tables must be those of this release; none are made.

    Raises:
        CommandError: It is a storage in the memory of another process.
        InvalidOptionError: The URL is none.
        StorageError: It cannot be reached, or its tables are others.
    """
    tables = DEFAULT_TABLES if table is None else TaskExecutionTables(name=table)
    storage = open_storage(url, tables=tables, migrate=False)
    if not isinstance(storage, SqlStorage):
        raise CommandError("executions in memory are seen by their process alone", MISUSED)
    await storage.open()
    try:
        yield DatabaseDesk(storage)
    finally:
        await storage.close()


class DatabaseDesk:
    """Commands over a storage that is open. The contract is `Desk`'s."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def enqueue(self, order: Order) -> str:
        """Enqueue as the task says, if its code was loaded; else with the options given alone."""
        record = _new_record(order, await self._storage.now())
        strict = () if order.key is None else (record.execution_id,)
        (holder,) = await self._storage.insert([record], strict_ids=strict)
        return (holder or record).execution_id

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Listed:  # noqa: D102
        search = search_for(
            task_ids=frozenset(map(check_task_id, filters.task_ids)) or None,
            statuses=filters.statuses or None,
            created=filters.created,
            finished=filters.finished,
            parent_execution_id=filters.parent_id,
            root_execution_id=filters.root_id,
            is_root=filters.is_root,
            tags=filters.tags or None,
            id_prefix=filters.id_prefix,
            order=filters.order,
            cursor=cursor,
            limit=limit,
        )
        page = await self._storage.search(search)
        return Listed(tuple(map(_entry, page.records)), page.next_cursor)

    async def execution(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        return await self._view(await self._record(task_id, execution_id))

    async def tree(  # noqa: D102
        self, task_id: str | None, execution_id: str, *, limit: int
    ) -> Branch:
        record = await self._record(task_id, execution_id)
        return tree_of(
            cast("Facts", loads(_branch(each).payload))
            for each in await tree_below(self._storage, record, Bounds(rows=limit))
        )

    async def watch(  # noqa: D102
        self, task_id: str | None, execution_id: str
    ) -> AsyncIterator[Facts | Progress]:
        await self._record(task_id, execution_id)
        at = START
        while True:
            (glance,) = await self._storage.glance([execution_id])
            if glance is None:
                raise _not_found(execution_id)
            news = next_news(at, glance.status, glance.fence, glance.progress)
            if news is None:
                await asyncio.sleep(LOOK_INTERVAL)
                continue
            kind, at = news
            if kind == "progress" and glance.progress is not None:
                yield Progress(glance.progress.fraction, glance.progress.message)
                continue
            record = await self._record(None, execution_id)
            yield await self._view(record)
            if record.is_finished:
                return

    async def cancel(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        error = to_stored_error(DurableExecutionCancelledError())
        while not (record := await self._record(task_id, execution_id)).is_finished:
            now = await self._storage.now()
            await self._storage.apply([transitions.cancel(record, error=error, now=now)])
        return await self._view(record)

    async def retry(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        record = await self._record(task_id, execution_id)
        if record.parent_execution_id is not None:
            raise refusal_of(record, "child")
        reopened = await self._storage.reopen(execution_id, await self._storage.now())
        if reopened.root is None:
            raise _not_found(execution_id)
        if reopened.refusal is not None:
            raise refusal_of(reopened.root, reopened.refusal)
        return await self._view(reopened.root)

    async def wake(  # noqa: D102
        self, task_id: str, unique_id: str, *, output: object, error: str | None
    ) -> Facts:
        stored = None if error is None else to_stored_error(DurableExecutionError(error))
        payload = dumps(output) if stored is None else None
        while True:
            record = await self._storage.get_by_sleeping_unique_id(unique_id)
            if record is None or not record.is_sleeping or record.task_id != task_id:
                raise DurableExecutionNotFoundError(
                    f"Sleeping task execution not found [taskId={task_id}] "
                    f"[sleepingTaskUniqueId={unique_id}]"
                )
            if record.is_finished:
                return await self._view(record)
            now = await self._storage.now()
            move = transitions.wake_up(record, output=payload, error=stored, now=now)
            await self._storage.apply([move])

    async def stats(self, *, lately: float) -> ExecutionStats:  # noqa: D102
        now = await self._storage.now()
        since = max(0, now - to_ms("since", lately, 1, MAX_DURATION_MS))
        backlog = await self._storage.backlog(
            COUNTED_AT_MOST, since=since, id_from=newest_id_before(since)
        )
        listed = await self._storage.executors(1000)
        return stats_of(backlog, listed, now=now, since=since, counted_at_most=COUNTED_AT_MOST)

    async def prune(self, *, older_than: float, limit: int) -> int:  # noqa: D102
        age = to_ms("older_than", older_than, 0, MAX_DURATION_MS)
        before = await self._storage.now() - age
        deleted = 0
        while deleted < limit:
            batch = await self._storage.delete_finished(
                before, min(_DELETED_AT_ONCE, limit - deleted), id_before=oldest_id_after(before)
            )
            if batch == 0:
                break
            deleted += batch
        return deleted

    async def _record(self, task_id: str | None, execution_id: str) -> ExecutionRecord:
        (record,) = await self._storage.get([execution_id])
        if record is None or task_id not in (None, record.task_id):
            raise _not_found(execution_id)
        return record

    async def _view(self, record: ExecutionRecord) -> Facts:
        children: list[ExecutionRecord] = []
        if record.waiting_for_children_at is not None:
            children = await self._storage.children_of([record.execution_id], with_payloads=False)
        (past,) = await pasts_of(self._storage, [record])
        return cast("Facts", loads(wire_operated(record, children, past).payload))


def _new_record(order: Order, now: int) -> ExecutionRecord:
    label = checked_label(order.key, "raise", order.tags)
    retry = None if order.max_retries is None else RetryOptions(max_retries=order.max_retries)
    task = order.task
    if task is not None:
        options = task.options.overridden(
            timeout=_seconds(order.timeout_ms),
            retry=retry,
            sleep_before_run=_seconds(order.sleep_ms),
        )
        record, _ = new_root(
            task,
            order.input,
            options,
            execution_id=new_execution_id(now),
            max_size=ExecutorOptions().max_serialized_input_size,
            now=now,
            label=label,
        )
        return record
    seed = Seed(
        execution_id=new_execution_id(now),
        task_id=check_task_id(order.task_id),
        input=dumps(order.input),
        timeout_ms=DEFAULT_TIMEOUT_MS if order.timeout_ms is None else order.timeout_ms,
        retry=(retry or RetryOptions()).to_policy(),
        sleep_before_run_ms=order.sleep_ms or 0,
    )
    return root_record(seed, now=now, label=label)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _branch(grown: Grown) -> Encoded:
    return wire_branch(
        grown.record,
        left_out=grown.left_out,
        has_payloads=grown.has_payloads,
        past=grown.past,
        is_within_reach=True,
    )


def _entry(record: ExecutionRecord) -> Facts:
    entry = loads(wire_entry(record, record.task_id).payload)
    return {**cast("Mapping[str, object]", entry), **_besides(record)}


def _besides(record: ExecutionRecord) -> dict[str, object]:
    """Return what the wire does not tell."""
    besides: dict[str, object] = {"crashCount": record.crash_count}
    if record.executor_id is not None:
        besides["executorId"] = record.executor_id
    if record.idempotency_key is not None:
        besides["idempotencyKey"] = record.idempotency_key
    if record.error is not None:
        # With the traceback, which callers of a server are not shown.
        besides["error"] = msgspec.to_builtins(record.error)
    if record.tags:
        besides["tags"] = dict(record.tags)
    return besides


def _not_found(execution_id: str) -> DurableExecutionNotFoundError:
    return DurableExecutionNotFoundError(f"Task execution not found [executionId={execution_id}]")
