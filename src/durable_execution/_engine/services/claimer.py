"""Takes work: as much as there is room for, as soon as somebody says that there is some."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import Task
from durable_execution._engine.clock import Clock
from durable_execution._engine.pace import Pace
from durable_execution._engine.running import Attempt, Running
from durable_execution._engine.wakeups import Wakeup
from durable_execution.storage.protocol import Claim, Storage

CLAIM_LIMIT: Final = 1000
MAX_HELD: Final = 100_000
"""More rows than any executor may hold."""


class Claimer:
    """Claims rows of the tasks that this executor knows and starts their attempts.

    Plain functions have fewer places than coroutines. While both have room one claim looks for
    either; where that comes back full, and while only one kind has room, each is claimed for
    itself, so that no row is taken that would wait here for a thread for longer than a moment.
    """

    name = "claimer"

    def __init__(
        self,
        storage: Storage,
        tasks: Mapping[str, Task[Any, Any]],
        running: Running,
        clock: Clock,
        *,
        executor_id: str,
        start: Callable[[Attempt], None],
        starts_landed: Callable[[], Awaitable[None]],
        rescue: Callable[[Sequence[ExecutionRecord]], Awaitable[None]],
        lease_term: Callable[[], int | None],
        pace: Pace,
    ) -> None:
        self.wakeup = Wakeup()
        self._storage = storage
        self._tasks = tasks
        self._running = running
        self._clock = clock
        self._executor_id = executor_id
        self._start = start
        self._starts_landed = starts_landed
        self._rescue = rescue
        self._lease_term = lease_term
        self._pace = pace
        self._next_start_at: int | None = None
        self._is_unsure = False
        self._was_cut_off = False
        self._has_left_nothing = False
        self._was_told = True
        """Whether there is a reason for this look but the time that has passed."""

    @property
    def is_caught_up(self) -> bool:
        """Whether the last look left no row that could have run here.

        What has become ready since is overtaken by one batch at the most: the claim that takes it
        is on its way, and says so if it does not take everything.
        """
        return self._has_left_nothing

    def doubt(self) -> None:
        """Look for what may be held here and runs nowhere, before the next claim."""
        self._is_unsure = True
        self._has_left_nothing = False
        self.wakeup.set()

    def announce(self, start_at: int) -> None:
        """Take note of a row that is, or will be, ready."""
        due_in = (start_at - self._clock.now()) / 1000
        if due_in <= 0:
            self.wakeup.set()
        elif due_in <= self._pace.interval:
            self.wakeup.set_after(due_in)

    def reclaim(self) -> None:
        """Rescue, before the next claim, what is held here and was stopped for want of a beat."""
        self._was_cut_off = True
        self._has_left_nothing = False
        self.wakeup.set()

    async def settle(self) -> None:
        """Find what the last claim took, if its answer was lost."""
        if self._is_unsure:
            self._has_left_nothing = False  # as above
            await self._find_lost_claims()

    async def run_once(self) -> bool:
        """Claim once for all tasks, or once for each kind if there is much to do."""
        try:
            is_more = await self._claim_all()
        except BaseException:
            self._has_left_nothing = False
            raise
        self._has_left_nothing = not (
            is_more
            or self._running.is_short_of_room
            or self._is_unsure
            or self._lease_term() is None
        )
        return is_more

    async def _claim_all(self) -> bool:
        next_start_at, self._next_start_at = self._next_start_at, None
        is_due = next_start_at is not None and next_start_at <= self._clock.now()
        self._was_told = self.wakeup.was_set or is_due
        self._running.is_short_of_room = False
        if self._lease_term() is None:
            return False  # until `reclaim`
        if self._was_cut_off:
            self._has_left_nothing = False  # so that nothing starts unseen meanwhile
            await self._rescue_own()
        await self.settle()
        threaded = frozenset(
            task_id for task_id, task in self._tasks.items() if task.runs_in_thread
        )
        others = frozenset(self._tasks) - threaded
        if not threaded or not others:
            room = self._running.thread_room if threaded else self._running.room
            return await self._claim(threaded or others, room)
        # Threads never have more room than there is in all.
        both = self._running.thread_room
        if both > 0 and not await self._claim(threaded | others, both):
            return False
        is_more_async = await self._claim(others, self._running.room)
        is_more_threaded = await self._claim(threaded, self._running.thread_room)
        return is_more_async or is_more_threaded

    def pause(self) -> float:
        """Until the next row is due, or until it is time to poll."""
        if self._next_start_at is None:
            return self._pace.interval
        due_in = (self._next_start_at - self._clock.now()) / 1000
        return min(self._pace.interval, max(0.001, due_in))

    async def _claim(self, task_ids: frozenset[str], limit: int) -> bool:
        """Claim and start; return whether there may be more that could start at once."""
        if not task_ids:
            return False
        if limit <= 0:
            self._running.is_short_of_room = True
            return False
        term = self._lease_term()
        if term is None:
            return False
        limit = min(limit, CLAIM_LIMIT)
        claim = Claim(executor_id=self._executor_id, task_ids=task_ids, limit=limit)
        self._running.reserve(limit, limit)
        try:
            claimed = await self._storage.claim(claim)
        except BaseException:
            self._is_unsure = True
            raise
        finally:
            self._running.release(limit, limit)
        if claimed.records and self._lease_term() != term:
            # The answer outlived the lease: others may have begun these already.
            self._is_unsure = True
            return False
        if claimed.records:
            self._pace.note_find(was_told=self._was_told)
        for record in claimed.records:
            self._start(self._attempt(record))
        due = claimed.next_start_at
        if due is not None and (self._next_start_at is None or due < self._next_start_at):
            self._next_start_at = due
        return len(claimed.records) == limit

    async def _find_lost_claims(self) -> None:
        """Start what a claim took whose answer was lost: nobody else would, while this lives."""
        term = self._lease_term()
        strays = await self._strays()
        if term is None or self._lease_term() != term:
            return
        for record in strays:
            self._start(self._attempt(record))
        self._is_unsure = False

    async def _rescue_own(self) -> None:
        """Rescue what this executor lost and nobody took: it lives again, so nobody else will."""
        self._was_cut_off = False
        try:
            await self._rescue(await self._strays())
        except BaseException:
            self._was_cut_off = True
            raise

    async def _strays(self) -> list[ExecutionRecord]:
        """Return what is held here and runs no more. Nothing is claimed meanwhile."""
        await self._starts_landed()
        known = set(self._running.held())
        held = await self._storage.held_by(self._executor_id, MAX_HELD)
        return [
            record
            for record in held
            if (record.execution_id, record.fence) not in known and record.task_id in self._tasks
        ]

    def _attempt(self, record: ExecutionRecord) -> Attempt:
        return Attempt(record, self._tasks[record.task_id])
