"""The rows of the in-memory storage, and the indexes over them.

`put` is the only way to change a row and keeps every index right. Heaps are cleaned lazily: an
entry whose row has moved on is dropped when it comes up, and a heap that is mostly such entries is
built anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Final

from durable_execution._core.record import ExecutionRecord

_Entry = tuple[int, int, str]
"""An instant, a serial number that keeps equals in the order of arrival, and an execution id."""

_MIN_STALE: Final = 64
"""Stale entries that a heap may hold before it is worth building anew."""


class Shelf:
    """Records by id, task and start, parent, sleeping id, key, owner, and by what they wait for."""

    def __init__(self) -> None:
        self._rows: dict[str, ExecutionRecord] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._last_child: dict[str, str] = {}
        self._sleeping: dict[str, str] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._joinable: dict[str, None] = {}
        self._held: dict[str, dict[str, None]] = {}
        self._ready: dict[str, _Heap] = {}
        self._sleepers = _Heap()
        self._sorted_ids: list[str] | None = []
        self._finished_roots: list[tuple[int, str]] = []

    def rows(self) -> Iterable[ExecutionRecord]:
        """Return all rows in the order of insertion."""
        return self._rows.values()

    def __contains__(self, execution_id: str) -> bool:
        """Whether there is such a row."""
        return execution_id in self._rows

    def get(self, execution_id: str) -> ExecutionRecord | None:
        """Return the row."""
        return self._rows.get(execution_id)

    def sleeping(self, unique_id: str) -> ExecutionRecord | None:
        """Return the row with that sleeping id."""
        execution_id = self._sleeping.get(unique_id)
        return None if execution_id is None else self._rows[execution_id]

    def key_holder(self, record: ExecutionRecord) -> ExecutionRecord | None:
        """Return the other row that has the record's task and idempotency key."""
        key = record.idempotency_key
        execution_id = None if key is None else self._keys.get((record.task_id, key))
        is_other = execution_id is not None and execution_id != record.execution_id
        return self._rows[execution_id] if execution_id is not None and is_other else None

    def children(self, parent_id: str) -> list[ExecutionRecord]:
        """Return the children in the order of insertion."""
        return [self._rows[child_id] for child_id in self._children.get(parent_id, ())]

    def child_ids(self, parent_id: str) -> Iterable[str]:
        """Return the ids of the children in the order of insertion."""
        return self._children.get(parent_id, ())

    def last_child(self, parent_id: str) -> ExecutionRecord | None:
        """Return the finalize child, or else the one of highest index."""
        child_id = self._last_child.get(parent_id)
        return None if child_id is None else self._rows[child_id]

    def joinable(self, task_ids: frozenset[str], limit: int) -> list[ExecutionRecord]:
        """Return joinable rows of these tasks, those first that have been joinable longest."""
        rows = (self._rows[execution_id] for execution_id in self._joinable)
        return list(islice((row for row in rows if row.task_id in task_ids), limit))

    def owners(self) -> Iterable[str]:
        """Return the executors that hold rows."""
        return self._held

    def held_by(self, executor_id: str) -> list[ExecutionRecord]:
        """Return the rows that the executor runs, sleeping and parked ones left out."""
        return [self._rows[execution_id] for execution_id in self._held.get(executor_id, ())]

    def put(self, record: ExecutionRecord) -> None:
        """Insert the row, or put it in the place of the one with its id."""
        rows, execution_id = self._rows, record.execution_id
        before = rows.get(execution_id)
        if before is record:
            return
        rows[execution_id] = record
        if before is None:
            self._index_identity(record)
        else:
            self._leave(before)
            if before.sleeping_unique_id != record.sleeping_unique_id:
                self._index_sleeping_id(before.sleeping_unique_id, record)
        self._enter(record)

    def remove(self, record: ExecutionRecord) -> None:
        """Take a finished row off the shelf."""
        del self._rows[record.execution_id]
        self._sorted_ids = None
        self._children.pop(record.execution_id, None)
        self._last_child.pop(record.execution_id, None)
        parent_id = record.parent_execution_id
        if parent_id is not None:
            siblings = self._children.get(parent_id, {})
            siblings.pop(record.execution_id, None)
            if self._last_child.get(parent_id) == record.execution_id:
                del self._last_child[parent_id]
                if siblings:
                    self._last_child[parent_id] = max(
                        siblings, key=lambda child_id: place(self._rows[child_id])
                    )
        if record.sleeping_unique_id is not None:
            del self._sleeping[record.sleeping_unique_id]
        if record.idempotency_key is not None:
            del self._keys[record.task_id, record.idempotency_key]

    def sorted_ids(self) -> list[str]:
        """Return all ids in ascending order."""
        if self._sorted_ids is None:
            # Cheap: the rows came in nearly this order.
            self._sorted_ids = sorted(self._rows)
        return self._sorted_ids

    def take_finished_roots(self, before: int, limit: int, *, id_before: str) -> list[str]:
        """Take roots that finished before that instant out of their index, the earliest first.

        The caller deletes them, or gives them back with `keep_finished_root`.
        """
        roots = self._finished_roots
        taken: dict[str, None] = {}
        passed_over: list[tuple[int, str]] = []
        while roots and len(taken) < limit and roots[0][0] < before:
            entry = heapq.heappop(roots)
            finished_at, execution_id = entry
            row = self._rows.get(execution_id)
            if row is None or row.finished_at != finished_at:
                continue  # it was reopened since
            if execution_id < id_before:
                taken[execution_id] = None
            else:
                passed_over.append(entry)
        for entry in passed_over:
            heapq.heappush(roots, entry)
        return list(taken)

    def keep_finished_root(self, record: ExecutionRecord) -> None:
        """Put a finished root into the index of those that may be deleted one day."""
        heapq.heappush(self._finished_roots, (record.finished_at or 0, record.execution_id))

    def take_due(self, task_ids: frozenset[str], *, now: int, limit: int) -> list[ExecutionRecord]:
        """Take ready rows out of the ready index, the earliest first; the caller claims them."""
        heaps = [heap for task_id in task_ids if (heap := self._ready.get(task_id)) is not None]
        tops: list[tuple[_Entry, int]] = []
        for position, heap in enumerate(heaps):
            top = heap.top()
            if top is not None:
                tops.append((top, position))
        heapq.heapify(tops)
        taken: list[ExecutionRecord] = []
        while tops and len(taken) < limit and tops[0][0][0] <= now:
            (_, _, execution_id), position = tops[0]
            heaps[position].pop()
            taken.append(self._rows[execution_id])
            top = heaps[position].top()
            if top is None:
                heapq.heappop(tops)
            else:
                heapq.heapreplace(tops, (top, position))
        return taken

    def next_start_at(self, task_ids: frozenset[str]) -> int | None:
        """Return the earliest start of a ready row of these tasks."""
        heaps = (self._ready.get(task_id) for task_id in task_ids)
        tops = [top[0] for heap in heaps if heap is not None and (top := heap.top()) is not None]
        return min(tops, default=None)

    def ready_task_ids(self) -> frozenset[str]:
        """Return the tasks that have a ready row."""
        return frozenset(self._ready)

    def expired_sleepers(self, *, now: int, limit: int) -> tuple[list[ExecutionRecord], int | None]:
        """Return sleeping rows whose expiry has come, and the next expiry if these are all."""
        due, next_instant = self._sleepers.due(now=now, limit=limit)
        return [self._rows[entry[2]] for entry in due], next_instant

    def _index_identity(self, record: ExecutionRecord) -> None:
        self._sorted_ids = None
        parent_id = record.parent_execution_id
        if parent_id is not None:
            self._children.setdefault(parent_id, {})[record.execution_id] = None
            last = self.last_child(parent_id)
            if last is None or place(record) > place(last):
                self._last_child[parent_id] = record.execution_id
        if record.sleeping_unique_id is not None:
            self._sleeping[record.sleeping_unique_id] = record.execution_id
        if record.idempotency_key is not None:
            self._keys[record.task_id, record.idempotency_key] = record.execution_id

    def _index_sleeping_id(self, before: str | None, record: ExecutionRecord) -> None:
        if before is not None:
            del self._sleeping[before]
        if record.sleeping_unique_id is not None:
            self._sleeping[record.sleeping_unique_id] = record.execution_id

    def _leave(self, record: ExecutionRecord) -> None:
        if record.status == "ready":
            heap = self._ready.get(record.task_id)
            if heap is not None:  # None once a claim took the last rows of the task
                heap.discard(record.execution_id)
                if not heap:
                    del self._ready[record.task_id]
        elif record.status == "running":
            if record.sleeping_unique_id is not None:
                self._sleepers.discard(record.execution_id)
            elif record.executor_id is not None:
                held = self._held[record.executor_id]
                del held[record.execution_id]
                if not held:
                    del self._held[record.executor_id]
        else:
            self._joinable.pop(record.execution_id, None)

    def _enter(self, record: ExecutionRecord) -> None:
        if record.status == "ready":
            heap = self._ready.get(record.task_id)
            if heap is None:
                heap = self._ready[record.task_id] = _Heap()
            heap.push(record.start_at, record.execution_id)
        elif record.status == "running":
            if record.sleeping_unique_id is not None:
                self._sleepers.push(record.expires_at or 0, record.execution_id)
            elif record.executor_id is not None:
                held = self._held.get(record.executor_id)
                if held is None:
                    held = self._held[record.executor_id] = {}
                held[record.execution_id] = None
        elif record.finished_at is not None:
            if record.parent_execution_id is None:
                self.keep_finished_root(record)
        elif record.is_joinable:
            self._joinable[record.execution_id] = None


def place(child: ExecutionRecord) -> tuple[bool, int]:
    """Return what orders the children of one parent."""
    return child.is_finalize, child.index_in_parent


class _Heap:
    """Execution ids by instant, each at most once."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._live: dict[str, int] = {}
        """The serial number of each id's current entry; other entries are stale."""
        self._serials: Iterator[int] = count()

    def __bool__(self) -> bool:
        return bool(self._live)

    def push(self, instant: int, execution_id: str) -> None:
        serial = next(self._serials)
        self._live[execution_id] = serial
        heapq.heappush(self._entries, (instant, serial, execution_id))

    def discard(self, execution_id: str) -> None:
        """Forget the id, if it is here."""
        if self._live.pop(execution_id, None) is None:
            return
        if len(self._entries) > 2 * len(self._live) + _MIN_STALE:
            self._entries = [entry for entry in self._entries if self._is_live(entry)]
            heapq.heapify(self._entries)

    def top(self) -> _Entry | None:
        while self._entries and not self._is_live(self._entries[0]):
            heapq.heappop(self._entries)
        return self._entries[0] if self._entries else None

    def pop(self) -> None:
        """Drop the top; call `top` before."""
        del self._live[heapq.heappop(self._entries)[2]]

    def due(self, *, now: int, limit: int) -> tuple[list[_Entry], int | None]:
        """Return the live entries that are due, the earliest first; they stay.

        With fewer than the limit comes the instant of the next one, if there is one.
        """
        due: list[_Entry] = []
        top = self.top()
        while len(due) < limit and top is not None and top[0] <= now:
            due.append(heapq.heappop(self._entries))
            top = self.top()
        next_instant = top[0] if len(due) < limit and top is not None else None
        for entry in due:
            heapq.heappush(self._entries, entry)
        return due, next_instant

    def _is_live(self, entry: _Entry) -> bool:
        return self._live.get(entry[2]) == entry[1]
