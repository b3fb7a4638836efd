"""Who watches which execution, and the one look that serves all of them.

A look is one statement for all executions that are watched, without payloads; a row is read when
it has moved. What moves in this process asks for a look at once, and brings its row along. What
moves elsewhere is seen when the storage reports a change, and otherwise a few times a second.
Nothing is read while nobody watches.
"""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakValueDictionary

from durable_execution._core.progress import Progress
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED
from durable_execution._core.watching import revision_of
from durable_execution._engine.pace import Pace
from durable_execution._engine.services.shared_reading import READ_LIMIT, SharedReading
from durable_execution._engine.wakeups import Wakeup
from durable_execution.errors import DurableExecutionNotFoundError
from durable_execution.storage.protocol import Glance, Storage

LOOK_INTERVAL: Final = 0.5
"""Seconds between two looks at the most: no storage reports every claim and all progress."""
SHORTEST_REST: Final = 0.02
"""Seconds between two looks at least."""


class Watched:
    """The newest state of one execution, for as long as somebody holds on to it.

    However many watch and however slow they are, there is one state, and it is the newest.
    """

    __slots__ = ("__weakref__", "error", "execution_id", "progress", "record", "waiters")

    def __init__(self, execution_id: str, error: Exception | None = None) -> None:
        self.execution_id = execution_id
        self.record: ExecutionRecord | None = None
        """None until the first look."""
        self.progress: Progress | None = None
        self.error = error
        """Why there will be no further state."""
        self.waiters: set[asyncio.Future[None]] = set()

    @property
    def is_settled(self) -> bool:
        """Whether nothing will change any more."""
        return self.error is not None or (self.record is not None and self.record.is_finished)

    @property
    def has_failed(self) -> bool:
        """Whether it has finished, but perhaps not for good."""
        return self.record is not None and self.record.status in ERRORED

    @property
    def revision(self) -> int:
        """The revision of the newest row, 0 before there is one."""
        return 0 if self.record is None else revision_of(self.record.status, self.record.fence)

    async def changed(self) -> None:
        """Wait until the state is another."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.add(waiter)
        try:
            await waiter
        finally:
            self.waiters.discard(waiter)

    def tell(self) -> None:
        """Wake all who wait."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tell all who watch that there will be no further state."""
        if not self.is_settled:
            self.error = error
            self.tell()


class Watches:
    """A chore that looks at what is watched."""

    name = "watches"

    def __init__(self, storage: Storage, *, pace: Pace) -> None:
        self.wakeup = Wakeup()
        self.is_needed = False
        """Whether anybody watches anything, or did a moment ago: cheap to ask for every task."""
        self._storage = storage
        self._pace = pace
        self._watched: WeakValueDictionary[str, Watched] = WeakValueDictionary()
        self._stale: dict[str, None] = {}
        """What is to be looked at, in the order in which it was asked for."""
        self._moved: dict[str, ExecutionRecord] = {}
        """Rows that this process wrote, for as long as a look may find just that."""
        self._reading = SharedReading(SHORTEST_REST)
        self._next_look = 0.0
        self._is_over: Exception | None = None

    def watch(self, execution_id: str, record: ExecutionRecord | None = None) -> Watched:
        """Have an execution looked at for as long as somebody holds on to the answer.

        Its row may be given where it has just been read.
        """
        watched = self._watched.get(execution_id)
        if watched is None or watched.has_failed:
            # What has failed may have been retried since: whoever comes now looks again.
            watched = self._watched[execution_id] = Watched(execution_id, self._is_over)
            if record is not None:
                self._moved[execution_id] = record
            self.is_needed = True
            self._look_at(execution_id)
        return watched

    def is_watched(self, execution_id: str) -> bool:
        """Whether somebody watches the execution."""
        return execution_id in self._watched

    def announce(self, record: ExecutionRecord) -> None:
        """Take note of how this process has changed a row, or claimed it."""
        if self.is_watched(record.execution_id):
            self._moved[record.execution_id] = record
            self._look_at(record.execution_id)

    def announce_progress(self, execution_id: str) -> None:
        """Take note that this process has written progress."""
        if self.is_watched(execution_id):
            self._look_at(execution_id)

    def announce_change(self) -> None:
        """Take note that another process wrote something."""
        self._next_look = 0.0
        self.wakeup.set()

    def fail_all(self, error: Exception) -> None:
        """Tell all who watch, and will, that nobody will tell them any more."""
        self._is_over = error
        for watched in list(self._watched.values()):
            watched.fail(error)

    async def run_once(self) -> bool:
        """Look at a bounded number of the executions that are watched."""
        if not self._watched:
            self.is_needed = False
            self._stale.clear()
            self._moved.clear()
            return False
        await self._reading.begin()
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_look:
            self._next_look = loop.time() + self._interval
            self._stale.update(dict.fromkeys(self._watched))
        part = list(self._stale)[:READ_LIMIT]
        # Taken off before the look: what is announced while it is under way needs another one.
        moved = {each: self._moved.pop(each, None) for each in part}
        for each in part:
            del self._stale[each]
        try:
            await self._look(moved)
        except BaseException:
            self._stale = dict.fromkeys(part) | self._stale
            raise
        if self._stale:
            return True
        self._reading.end()
        return False

    def pause(self) -> float:
        """Until the next look; while nobody watches, nothing is read."""
        return self._interval if self._watched else self._pace.interval

    @property
    def _interval(self) -> float:
        return min(LOOK_INTERVAL, self._pace.interval)

    def _look_at(self, execution_id: str) -> None:
        self._stale[execution_id] = None
        self.wakeup.set()

    async def _look(self, moved: dict[str, ExecutionRecord | None]) -> None:
        """Bring these executions up to date, given the rows of those that moved here."""
        watched = [
            each
            for each in map(self._watched.get, moved)
            if each is not None and not each.is_settled
        ]
        if not watched:
            return
        glances = await self._storage.glance([each.execution_id for each in watched])
        seen = list(zip(watched, glances, strict=True))
        rows = await self._rows_of(seen, moved)
        for each, glance in seen:
            if glance is None:
                self._tell_deletion(each)
            else:
                self._tell(each, glance, rows.get(each.execution_id))

    async def _rows_of(
        self,
        seen: list[tuple[Watched, Glance | None]],
        moved: dict[str, ExecutionRecord | None],
    ) -> dict[str, ExecutionRecord]:
        """Return the rows that have moved: those that this process wrote, others are read."""
        rows: dict[str, ExecutionRecord] = {}
        unread: list[str] = []
        for each, glance in seen:
            if glance is None or revision_of(glance.status, glance.fence) <= each.revision:
                continue
            row = moved[each.execution_id]
            if row is not None and (row.status, row.fence) == (glance.status, glance.fence):
                rows[each.execution_id] = row
            else:
                unread.append(each.execution_id)
        if unread:
            for row in await self._storage.get(unread):
                if row is not None:
                    rows[row.execution_id] = row
        return rows

    def _tell(self, watched: Watched, glance: Glance, row: ExecutionRecord | None) -> None:
        if row is not None:
            if row.is_finished and row.status != glance.status:
                # It finished after the glance, which may have missed the last progress.
                self._moved[row.execution_id] = row
                self._look_at(row.execution_id)
                return
            watched.record = row
        elif revision_of(glance.status, glance.fence) > watched.revision:
            self._look_at(watched.execution_id)  # deleted since
            return
        has_progressed = glance.progress is not None and (
            watched.progress is None or glance.progress.place > watched.progress.place
        )
        if has_progressed:
            watched.progress = glance.progress
        if row is not None or has_progressed:
            watched.tell()

    def _tell_deletion(self, watched: Watched) -> None:
        self._watched.pop(watched.execution_id, None)
        message = f"Task execution not found [executionId={watched.execution_id}]"
        watched.fail(DurableExecutionNotFoundError(message))
