"""Who waits for which execution to finish, and how they hear of it.

What finishes in this process is told at once. For executions that another process may finish, one
shared read serves all waiters: when the storage reports a change, and at a slow pace otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final
from weakref import ReferenceType, ref

import msgspec

from durable_execution._core.patch import Finish, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import Status
from durable_execution._engine.pace import Pace
from durable_execution._engine.services.shared_reading import READ_LIMIT, SharedReading
from durable_execution._engine.wakeups import Wakeup
from durable_execution.errors import DurableExecutionNotFoundError
from durable_execution.storage.protocol import Storage

SHORTEST_REST: Final = 0.001
"""Seconds between two reads at least, however many changes are reported."""
_FEWEST_TO_SWEEP: Final = 1000


class Ended(msgspec.Struct, frozen=True, gc=False):
    """An execution that has finished: its row, or the row as it was and how it has finished."""

    record: ExecutionRecord
    finish: Finish | None = None

    @property
    def how(self) -> Finish | ExecutionRecord:
        """What has status, output and error of the finish."""
        return self.finish or self.record

    @property
    def row(self) -> ExecutionRecord:
        """The row as it is now. Made when it is asked for: most callers want the output alone."""
        return self.record if self.finish is None else patched(self.record, self.finish)


class Watch(msgspec.Struct, eq=False, weakref=True):
    """Remembers the finish of one execution for as long as somebody holds on to it.

    `unchanged_since` is the number of changes by others that had been reported when the execution
    was about to be inserted here, None for an execution that was there before.
    """

    unchanged_since: int | None
    ended: Ended | None = None


class Finishes:
    """A chore that reads what is waited for, and the waiting places themselves."""

    name = "finishes"

    def __init__(self, storage: Storage, *, executor_id: str, pace: Pace) -> None:
        self.wakeup = Wakeup()
        self._loop = asyncio.get_running_loop()
        self._storage = storage
        self._executor_id = executor_id
        self._pace = pace
        self._watches: dict[str, ReferenceType[Watch]] = {}
        """By execution. Those of which nobody holds the watch any more are swept out at times: to
        hear of each would cost more than all the rest."""
        self._sweep_at = _FEWEST_TO_SWEEP
        self._waiters: dict[str, list[asyncio.Future[Ended]]] = {}
        """By execution, in the order in which they came."""
        self._reading = SharedReading(SHORTEST_REST)
        self._cursor = 0
        self._changes = 0

    def watch(self, execution_id: str, *, is_new: bool = False) -> Watch:
        """Have the finish of an execution remembered, if it happens in this process.

        `is_new` says that the execution is about to be inserted, by this process.
        """
        watch = None if is_new else self._watch_of(execution_id)
        if watch is None:
            watch = Watch(self._changes if is_new else None)
            if len(self._watches) >= self._sweep_at:
                self._sweep()
            self._watches[execution_id] = ref(watch)
        return watch

    def forget(self, execution_id: str) -> None:
        """Forget how an execution finished that is run again: it is yet to finish, anywhere."""
        watch = self._watch_of(execution_id)
        if watch is not None:
            watch.ended = None
            watch.unchanged_since = None

    def end_of(self, watch: Watch) -> Ended | None:
        """Return the finish if it is known to be the last.

        What has failed may have been retried by another process, unless none has written since.
        """
        ended = watch.ended
        if ended is None or ended.how.status == "completed":
            return ended
        return None if self.may_have_finished_elsewhere(watch) else ended

    def may_have_finished_elsewhere(self, watch: Watch) -> bool:
        """Whether the execution may have finished without this process having heard of it."""
        return watch.unchanged_since != self._changes

    def announce_change(self) -> None:
        """Take note that another process wrote something."""
        self._changes += 1
        self.wakeup.set()

    def tell_all(self, finished: Iterable[tuple[ExecutionRecord, Finish]]) -> None:
        """Tell all who wait that these executions have finished."""
        for record, finish in finished:
            self._tell(record.execution_id, Ended(record, finish), finish.status)

    def tell(self, record: ExecutionRecord) -> None:
        """Tell all who wait that an execution has finished."""
        self._tell(record.execution_id, Ended(record), record.status)

    def _tell(self, execution_id: str, ended: Ended, status: Status) -> None:
        reference = self._watches.get(execution_id)
        if reference is not None:
            watch = reference()
            if watch is not None:
                watch.ended = ended
            if watch is None or status == "completed":  # for ever: nothing else is to be told
                del self._watches[execution_id]
        for waiter in self._waiters.pop(execution_id, ()):
            if not waiter.done():
                waiter.set_result(ended)

    def _watch_of(self, execution_id: str) -> Watch | None:
        watch = self._watches.get(execution_id)
        return None if watch is None else watch()

    def _sweep(self) -> None:
        self._watches = {each: watch for each, watch in self._watches.items() if watch()}
        self._sweep_at = max(_FEWEST_TO_SWEEP, 2 * len(self._watches))

    def _tell_deletion(self, execution_id: str) -> None:
        """Tell all who wait that the execution is not there any more, and will not be told of."""
        error = DurableExecutionNotFoundError(
            f"Task execution not found [executionId={execution_id}]"
        )
        for waiter in self._waiters.pop(execution_id, ()):
            if not waiter.done():
                waiter.set_exception(error)

    async def wait_for(self, execution_id: str) -> Ended:
        """Wait until an execution has finished and return how.

        Nothing is read for it now: who waits has looked, or knows that there is nothing to see.
        """
        waiter: asyncio.Future[Ended] = self._loop.create_future()
        others = self._waiters.get(execution_id)
        if others is None:
            self._waiters[execution_id] = [waiter]
        else:
            others.append(waiter)
        try:
            return await waiter
        except BaseException:
            self._leave(execution_id, waiter)
            raise

    def _leave(self, execution_id: str, waiter: asyncio.Future[Ended]) -> None:
        waiters = self._waiters.get(execution_id)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[execution_id]

    def fail_all(self, error: Exception) -> None:
        """Tell all who wait that nobody will tell them any more."""
        waiters, self._waiters = self._waiters, {}
        for waiter in (waiter for group in waiters.values() for waiter in group):
            if not waiter.done():
                waiter.set_exception(error)

    async def run_once(self) -> bool:
        """Read a bounded number of the executions that are waited for."""
        if not self._waiters:
            return False
        await self._reading.begin()
        ids = list(self._waiters)
        if self._cursor >= len(ids):
            self._cursor = 0
        part = ids[self._cursor : self._cursor + READ_LIMIT]
        self._cursor += len(part)
        for execution_id, record in zip(part, await self._storage.get(part), strict=True):
            if record is None:
                self._tell_deletion(execution_id)
            elif record.is_finished:
                if record.executor_id != self._executor_id:
                    self._pace.note_find(was_told=self.wakeup.was_set)
                self.tell(record)
        if self._cursor < len(ids):
            return True
        self._cursor = 0
        self._reading.end()
        return False

    def pause(self) -> float:
        """Until it is time to poll; while nobody waits, nothing is read."""
        return self._pace.interval
