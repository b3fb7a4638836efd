"""Acts for parents whose children have all ended: at once, and for those that a crash left over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from durable_execution._core import transitions
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import ParentPlan, Task
from durable_execution._engine.clock import Clock
from durable_execution._engine.commits import Commits
from durable_execution._engine.joins import join, needs_all_children
from durable_execution._engine.options import ExecutorOptions
from durable_execution._engine.spawning import Spawning
from durable_execution._engine.wakeups import Wakeup
from durable_execution.errors import (
    DurableExecutionError,
    ExecutorShutDownError,
    to_stored_error,
)
from durable_execution.storage.protocol import Storage

logger = logging.getLogger(__name__)

JOIN_LIMIT: Final = 500
SWEEP_INTERVAL: Final = 30.0
"""Seconds between looks for joinable parents that nobody announced."""
SHORTEST_SWEEP_INTERVAL: Final = 5.0
"""Seconds between them while other processes write."""


class Joiner:
    """Joins the parents that `apply` reported, and now and then sweeps for others."""

    name = "joiner"

    def __init__(
        self,
        storage: Storage,
        tasks: Mapping[str, Task[Any, Any]],
        commits: Commits,
        spawning: Spawning,
        clock: Clock,
        options: ExecutorOptions,
    ) -> None:
        self.wakeup = Wakeup()
        self._storage = storage
        self._tasks = tasks
        self._commits = commits
        self._spawning = spawning
        self._clock = clock
        self._options = options
        self._announced: dict[str, ExecutionRecord] = {}
        self._next_sweep = 0.0

    def announce(self, parents: Iterable[ExecutionRecord]) -> None:
        """Take over parents that have just become joinable; those of unknown tasks are left."""
        known = {parent.execution_id: parent for parent in parents if parent.task_id in self._tasks}
        if known:
            self._announced.update(known)
            self.wakeup.set()

    def sweep_soon(self) -> None:
        """Look for left over parents now: an executor that died, or an answer that was lost."""
        self._next_sweep = 0.0
        self.wakeup.set()

    def announce_change(self) -> None:
        """Take note that another process wrote: it may not know the parent that it joined."""
        now = asyncio.get_running_loop().time()
        if self._next_sweep - now > SHORTEST_SWEEP_INTERVAL:
            self._next_sweep = now + SHORTEST_SWEEP_INTERVAL
            self.wakeup.set()

    async def run_once(self) -> bool:
        """Join what was announced; with nothing announced, sweep if it is time."""
        if self._announced:
            batch = dict(list(self._announced.items())[:JOIN_LIMIT])
            for execution_id in batch:
                del self._announced[execution_id]
            try:
                await self._join(list(batch.values()))
            except BaseException:
                self._announced = batch | self._announced
                raise
            return True
        now = asyncio.get_running_loop().time()
        if now < self._next_sweep:
            return False
        left_over = await self._storage.joinable(frozenset(self._tasks), JOIN_LIMIT)
        self._next_sweep = now + SWEEP_INTERVAL
        if left_over:
            logger.info("joining left over parents", extra={"count": len(left_over)})
            await self._join(left_over)
        if len(left_over) < JOIN_LIMIT:
            return False
        self._next_sweep = now
        return True

    def pause(self) -> float:
        """Until the next sweep."""
        return max(0.001, self._next_sweep - asyncio.get_running_loop().time())

    async def _join(self, parents: Sequence[ExecutionRecord]) -> None:
        """Read the children after the parents: then a stale parent shows, and its fence is old."""
        children = await self._children_of(parents)
        now = self._clock.now()
        applying = []
        for parent in parents:
            transition = join(
                parent,
                self._tasks[parent.task_id],
                children.get(parent.execution_id, ()),
                self._spawning,
                max_output_size=self._options.max_serialized_output_size,
                now=now,
            )
            if transition is not None:
                applying.append(self._apply(parent, transition, now))
        await asyncio.gather(*applying)

    async def _apply(self, parent: ExecutionRecord, transition: Transition, now: int) -> None:
        """Apply a join; one that the storage refuses fails the parent, which would wait for ever.

        The usual refusal is a step that is a sleeping task whose unique id is taken.
        """
        try:
            await self._commits.apply(parent, transition)
        except ExecutorShutDownError:
            raise
        except DurableExecutionError as error:
            stored = to_stored_error(error)
            await self._commits.apply(
                parent, transitions.fail_to_join(parent, error=stored, now=now)
            )

    async def _children_of(
        self, parents: Sequence[ExecutionRecord]
    ) -> dict[str, list[ExecutionRecord]]:
        """Read what joining needs: all children, the last one, or none."""
        all_of: list[str] = []
        last_of: list[str] = []
        for parent in parents:
            task = self._tasks[parent.task_id]
            if needs_all_children(task):
                all_of.append(parent.execution_id)
            elif not isinstance(task.plan, ParentPlan) or parent.status == "waiting_for_finalize":
                last_of.append(parent.execution_id)
        found: dict[str, list[ExecutionRecord]] = {}
        if all_of:
            for child in await self._storage.children_of(all_of):
                found.setdefault(str(child.parent_execution_id), []).append(child)
        if last_of:
            lasts = await self._storage.last_children_of(last_of)
            found.update(
                (parent_id, [last])
                for parent_id, last in zip(last_of, lasts, strict=True)
                if last is not None
            )
        return found
