"""What who runs the system asks of an executor: which executions there are, and to delete some."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from durable_execution._core.found import (
    ExecutionStats,
    FoundExecutor,
    SearchOrder,
    TaskExecutionCounts,
    TaskExecutionPage,
)
from durable_execution._core.limits import MAX_DURATION_MS, check_between, check_task_id, to_ms
from durable_execution._core.past import Past
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import Status
from durable_execution._core.task import TaskDeclaration
from durable_execution._engine.engine import Engine
from durable_execution._engine.ids import newest_id_before, oldest_id_after
from durable_execution._engine.searching import search_for
from durable_execution._engine.stats import found_executor_of, stats_of
from durable_execution._engine.trees import pasts_of
from durable_execution._engine.viewing import found_view_of
from durable_execution.storage.search import Page, Search

DELETE_BATCH: Final = 500
"""Rows that one transaction deletes at most."""
MAX_DELETED: Final = 1_000_000
MAX_COUNTED: Final = 100_000


class Oversight(ABC):
    """The part of an executor that looks at all executions of its storage."""

    async def search_task_executions(
        self,
        *,
        tasks: Iterable[TaskDeclaration[Any, Any] | str] | None = None,
        statuses: Iterable[Status] | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        finished_from: datetime | None = None,
        finished_before: datetime | None = None,
        parent_execution_id: str | None = None,
        root_execution_id: str | None = None,
        is_root: bool | None = None,
        tags: Mapping[str, str] | None = None,
        id_prefix: str | None = None,
        order: SearchOrder = "newest_first",
        cursor: str | None = None,
        limit: int = 100,
    ) -> TaskExecutionPage:
        """Find executions, of this executor or any other on the storage: all that is given holds.

        A search by tags, parent, root, one task, statuses of failures, `("ready",)` or the
        beginning of an id reads little more than it finds. Any other walks the executions in the
        order of creation until the page is full: say when they were created, at least, if few of
        many match. What runs or waits is found so, too, but for SQLite.

        Args:
            tasks: Tasks or ids of tasks, registered here or not.
            statuses: Such as `("failed", "timed_out")`.
            created_from: Created at this instant or later. All instants are aware datetimes.
            created_before: Created before this instant.
            finished_from: Finished at this instant or later.
            finished_before: Finished before this instant.
            parent_execution_id: Children of this execution.
            root_execution_id: Below this root, at any depth.
            is_root: Whether it was enqueued from outside, rather than by a parent.
            tags: Names and values that it has, all of them.
            id_prefix: How its id begins.
            order: By creation: "newest_first" or "oldest_first".
            cursor: `next_cursor` of the page before, with all else as it was.
            limit: Executions of a page, 1 to 1000.

        Raises:
            InvalidInputError: A filter, the limit or the cursor is malformed.
            InvalidOptionError: A task id or a tag is malformed.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        search = search_for(
            task_ids=None if tasks is None else _ids_of(tasks),
            statuses=statuses,
            created=(created_from, created_before),
            finished=(finished_from, finished_before),
            parent_execution_id=parent_execution_id,
            root_execution_id=root_execution_id,
            is_root=is_root,
            tags=tags,
            id_prefix=id_prefix,
            order=order,
            cursor=cursor,
            limit=limit,
        )
        page = await self.search_stored_task_executions(search)
        executions = tuple(found_view_of(record) for record in page.records)
        return TaskExecutionPage(executions=executions, next_cursor=page.next_cursor)

    async def search_stored_task_executions(self, search: Search) -> Page:
        """Return the rows that a search finds: for a server, which shows them in its own words.

        Raises:
            InvalidInputError: The cursor is malformed.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        return await self._running_engine().storage.search(search)

    async def past_of_stored(self, records: Sequence[ExecutionRecord]) -> dict[str, Past]:
        """Return the past attempts of those of these rows that may have any, by execution.

        Raises:
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        pasts = await pasts_of(self._running_engine().storage, records)
        return {each.execution_id: past for each, past in zip(records, pasts, strict=True)}

    async def get_queue_age(self) -> float:
        """Return how many seconds the execution has been ready that has been so for longest.

        Of any task, whether or not a live executor knows it; 0 when none waits. Cheap, so that it
        may be asked every few seconds: when it grows, there are too few executors, or none that
        know some task.

        Raises:
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        engine = self._running_engine()
        start_at = await engine.storage.earliest_ready()
        return 0.0 if start_at is None else max(0, engine.clock.now() - start_at) / 1000

    async def count_task_executions(
        self, *, tasks: Iterable[TaskDeclaration[Any, Any] | str] | None = None
    ) -> dict[str, TaskExecutionCounts]:
        """Count the executions of the storage, by task id and status; tell whose nobody runs.

        Tasks without executions are left out. Reads all of them, so that it is no question to ask
        every second. Executors tell the storage which tasks they run when they start, and with a
        beat, a quarter of their lease later at most, when some are added. One that has
        `max_concurrent_task_executions=0` runs none.

        Raises:
            InvalidOptionError: A task id is malformed.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        engine = self._running_engine()
        found = await engine.storage.counts(None if tasks is None else _ids_of(tasks))
        known = await engine.storage.known_task_ids() | engine.task_ids()
        return {
            task_id: TaskExecutionCounts(by_status=by_status, is_known=task_id in known)
            for task_id, by_status in found.items()
        }

    async def list_executors(self) -> tuple[FoundExecutor, ...]:
        """Return the executors on the storage, this one among them: the living and the lately dead.

        Up to a thousand, by their ids. What they say of themselves is a quarter of a lease old at
        most.

        Raises:
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        storage = self._running_engine().storage
        now = await storage.now()
        return tuple(found_executor_of(each, now) for each in await storage.executors(1000))

    async def get_stats(
        self, *, lately: float | timedelta = 3600, counted_at_most: int = 10_000
    ) -> ExecutionStats:
        """Tell how the work goes: what waits and for how long, what failed lately, who works.

        Cheap enough to be asked every few seconds, however many executions are stored: of each
        kind of them a bounded number is counted.

        Args:
            lately: Seconds or timedelta that failures and new executions are counted for.
            counted_at_most: Executions of each kind, 1 to 100,000.

        Raises:
            InvalidOptionError: A bound is out of bounds.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        span = to_ms("lately", lately, 1, MAX_DURATION_MS)
        check_between("counted_at_most", counted_at_most, 1, MAX_COUNTED, whole=True)
        engine = self._running_engine()
        storage = engine.storage
        now = await storage.now()
        since = max(0, now - span)
        backlog = await storage.backlog(
            counted_at_most, since=since, id_from=newest_id_before(since)
        )
        listed = await storage.executors(1000)
        return stats_of(backlog, listed, now=now, since=since, counted_at_most=counted_at_most)

    async def delete_finished_task_executions(
        self, *, older_than: float | timedelta, limit: int = 10_000
    ) -> int:
        """Delete executions whose root finished so long ago, and return how many that were.

        They go with all that is below them, their keys and their tags, some at a time, so that
        nobody waits for long. A tree that does not fit into what is left of the limit is cut from
        below, and its rest goes with a later call. See `ExecutorOptions.retention` for having it
        done all the time.

        Args:
            older_than: Seconds or timedelta.
            limit: Executions to delete at most, children included, 1 to 1,000,000.

        Raises:
            InvalidOptionError: A bound is out of bounds.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached; some may have been deleted.
        """
        age = to_ms("older_than", older_than, 0, MAX_DURATION_MS)
        check_between("limit", limit, 1, MAX_DELETED, whole=True)
        engine = self._running_engine()
        before = engine.clock.now() - age
        deleted = 0
        while deleted < limit:
            batch = await engine.storage.delete_finished(
                before, min(DELETE_BATCH, limit - deleted), id_before=oldest_id_after(before)
            )
            if batch == 0:
                break
            deleted += batch
        return deleted

    @abstractmethod
    def _running_engine(self) -> Engine:
        """Return the engine, or raise ExecutorShutDownError."""


def _ids_of(tasks: Iterable[TaskDeclaration[Any, Any] | str]) -> frozenset[str]:
    each = [tasks] if isinstance(tasks, str | TaskDeclaration) else tasks
    return frozenset(
        check_task_id(task.id if isinstance(task, TaskDeclaration) else task) for task in each
    )
