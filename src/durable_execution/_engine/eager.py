"""Eager start: what is enqueued here, and could run here at once, is inserted as claimed.

That spares a task its claim, one of three writes. Such a row is like any other that runs: fenced,
held by the lease, rescued when its executor dies. Nothing is overtaken: only while no ready row is
left that this executor knows of, and it has room, does anything start this way.

A row whose idempotency key is held has nothing to start. The storage then refuses all that was to
start with it, and they are inserted as ready ones, as they would have been.

An insert whose answer is lost may have been written. It is then repeated as an ordinary one, and
the claimer looks for rows that are held here and run nowhere.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import Task
from durable_execution._core.transitions import claimed
from durable_execution._engine.clock import Clock
from durable_execution._engine.running import NOT_DECODED, Attempt, Running
from durable_execution.errors import StorageUnavailableError


class NewRow(msgspec.Struct, frozen=True, gc=False):
    """A row that is about to be inserted."""

    record: ExecutionRecord
    decoded_input: object = NOT_DECODED
    may_start: bool = True
    """Whether a try to insert it alone is the first: a later one may meet what an earlier left."""
    parent: ExecutionRecord | None = None
    """The execution that is to wait for this one and no other."""


class Start(NamedTuple):
    """Rows that start with their insert, and the lease that they are claimed by."""

    records: list[ExecutionRecord]
    rows: list[NewRow]
    """The same rows, not claimed."""
    threaded: int
    term: int


class Landing:
    """What is known of the insert of a start: whether it was made, None while nobody knows."""

    __slots__ = ("is_inserted", "left_out")

    def __init__(self, *, is_inserted: bool | None) -> None:
        self.is_inserted = is_inserted
        self.left_out: Collection[str] = ()
        """Rows that were not inserted with the others."""


class EagerStart:
    """Chooses the rows that start with their insert, and starts them."""

    def __init__(
        self,
        tasks: Mapping[str, Task[Any, Any]],
        running: Running,
        clock: Clock,
        *,
        executor_id: str,
        is_caught_up: Callable[[], bool],
        lease_term: Callable[[], int | None],
        start: Callable[[Attempt], None],
        doubt: Callable[[], None],
    ) -> None:
        self._tasks = tasks
        self._running = running
        self._clock = clock
        self._executor_id = executor_id
        self._is_caught_up = is_caught_up
        self._lease_term = lease_term
        self._start = start
        self._doubt = doubt
        self._under_way = 0
        self._has_landed = asyncio.Event()
        self._has_landed.set()
        self._is_stopped = False

    def stop(self) -> None:
        """Start nothing more."""
        self._is_stopped = True

    async def landed(self) -> None:
        """Wait until no insert is under way that would start something."""
        await self._has_landed.wait()

    def choose(self, rows: Sequence[NewRow]) -> Start | None:
        """Claim as many of the rows as may start, in advance; None when none may.

        Their places are taken until the end of `landing`, which must follow.
        """
        term = self._lease_term()
        if self._is_stopped or term is None or not self._is_caught_up():
            return None
        room, thread_room = self._running.room, self._running.thread_room
        now = self._clock.now()
        repeated = _repeated_keys(rows)
        chosen: list[ExecutionRecord] = []
        ready: list[NewRow] = []
        threaded = 0
        for row in rows:
            record = row.record
            if len(chosen) >= room:
                break
            if not row.may_start or not _is_simple(record) or record.start_at > now:
                continue
            if repeated and _key(record) in repeated:
                continue
            if self._tasks[record.task_id].runs_in_thread:
                if threaded >= thread_room:
                    continue
                threaded += 1
            ready.append(row)
            chosen.append(claimed(record, executor_id=self._executor_id, now=now))
        if not chosen:
            return None
        self._running.reserve(len(chosen), threaded)
        self._under_way += 1
        self._has_landed.clear()
        return Start(chosen, ready, threaded, term)

    @contextmanager
    def landing(self, start: Start, *, is_inserted: bool | None) -> Iterator[Landing]:
        """Insert the rows inside; at the end start what is then known to have been inserted."""
        landing = Landing(is_inserted=is_inserted)
        try:
            yield landing
        except StorageUnavailableError:
            raise
        except Exception:
            landing.is_inserted = False  # refused as a whole
            raise
        finally:
            self._finish(start, landing)

    def _finish(self, start: Start, landing: Landing) -> None:
        is_inserted = landing.is_inserted
        self._running.release(len(start.records), start.threaded)
        self._under_way -= 1
        if not self._under_way:
            self._has_landed.set()
        if is_inserted and self._lease_term() == start.term:
            for record, row in zip(start.records, start.rows, strict=True):
                if record.execution_id not in landing.left_out:
                    task = self._tasks[record.task_id]
                    self._start(Attempt(record, task, row.decoded_input, row.parent))
        elif is_inserted is not False:
            # The answer is lost, or outlived the lease: others may have begun these already.
            self._doubt()


def _is_simple(record: ExecutionRecord) -> bool:
    """Whether the row is a ready one that nothing but its key can stand in the way of."""
    return record.status == "ready" and record.sleeping_unique_id is None and not record.tags


def _key(record: ExecutionRecord) -> tuple[str, str] | None:
    key = record.idempotency_key
    return None if key is None else (record.task_id, key)


def _repeated_keys(rows: Sequence[NewRow]) -> frozenset[tuple[str, str] | None]:
    """Return the keys that several of the rows have, of which the storage lets in the first."""
    keys = [_key(row.record) for row in rows if row.record.idempotency_key is not None]
    if len(set(keys)) == len(keys):
        return frozenset()
    return frozenset(key for key, count in Counter(keys).items() if count > 1)
