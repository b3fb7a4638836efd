"""The smallest storage that keeps the contract: a dict, a clock that tests set, and a logbook.

It reads `patch` and `transitions` by the letter and adds no check of its own, so that whatever
goes wrong over it is the law's fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from durable_execution._core.past import NO_PAST, Attempt, Past
from durable_execution._core.patch import Requeue, Transition, counted_off, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import Family, reopen
from durable_execution._core.status import ERRORED
from durable_execution._core.transitions import cancelled_with_ancestor, claimed
from durable_execution.errors import StoredError

Write = tuple[ExecutionRecord | None, ExecutionRecord]


class ModelDatabase:
    """Rows by id. Notes every change, every applied transition and every claim."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.rows: dict[str, ExecutionRecord] = {}
        self.writes: list[Write] = []
        self.applied: list[Transition] = []
        self.claims: dict[str, list[ExecutionRecord]] = {}
        self.past: dict[str, Past] = {}
        self.begun: Counter[str] = Counter()
        """How often each row became running."""

    def insert(self, record: ExecutionRecord) -> None:
        """Insert a row; a repeated insert changes nothing."""
        if record.execution_id not in self.rows:
            self._write(record)

    def claim(self, executor_id: str, limit: int) -> list[ExecutionRecord]:
        """Claim up to `limit` ready rows whose time has come, the earliest first."""
        due = [row for row in self.ready() if row.start_at <= self.now]
        records = [claimed(row, executor_id=executor_id, now=self.now) for row in due[:limit]]
        for record in records:
            self._write(record)
            self.claims.setdefault(record.execution_id, []).append(record)
        return records

    def apply(self, transition: Transition) -> bool:
        """Apply a transition whole if its guard holds; answer whether it did."""
        record = self.rows[transition.guard.execution_id]
        if not transition.guard.holds(record):
            return False
        self.applied.append(transition)
        self._write(patched(record, transition.patch))
        if isinstance(transition.patch, Requeue):
            self._add_to_past(record, transition.patch.ended)
        for child in transition.children:
            self.insert(child)
        if transition.counts_off is not None:
            parent = self.rows[transition.counts_off]
            counted = counted_off(parent, 1, self.now)
            if counted != parent:
                self._write(counted)
        if transition.cancels_descendants is not None:
            self._cancel_below(record.execution_id, transition.cancels_descendants)
        return True

    def reopen(self, root: ExecutionRecord) -> None:
        """Reopen what failed in a tree, its root first."""
        level = [root]
        while level:
            decided = [reopen(row, self._family(row), now=self.now) for row in level]
            level = []
            for each in decided:
                assert not isinstance(each, str), each
                self._write(each.after)
                self._add_to_past(each.after, each.ended)
                level += each.repeated

    def children_of(self, execution_id: str) -> list[ExecutionRecord]:
        """Return the children by index, a finalize child last."""
        children = [row for row in self.rows.values() if row.parent_execution_id == execution_id]
        return sorted(children, key=lambda child: (child.is_finalize, child.index_in_parent))

    def failed_roots(self) -> list[ExecutionRecord]:
        """Return roots that have failed."""
        rows = self.rows.values()
        return [row for row in rows if row.parent_execution_id is None and row.status in ERRORED]

    def ready(self) -> list[ExecutionRecord]:
        """Return ready rows, the earliest to start first."""
        ready = [row for row in self.rows.values() if row.status == "ready"]
        return sorted(ready, key=lambda row: row.start_at)

    def unfinished(self) -> list[ExecutionRecord]:
        """Return the rows that have not ended."""
        return [row for row in self.rows.values() if not row.is_finished]

    def orphans(self, dead: Iterable[str]) -> list[ExecutionRecord]:
        """Return running rows whose executor is one of the dead."""
        owners = set(dead)
        return [
            row
            for row in self.rows.values()
            if row.status == "running" and row.executor_id in owners
        ]

    def joinable(self) -> list[ExecutionRecord]:
        """Return waiting rows whose count is zero."""
        return [row for row in self.rows.values() if row.is_joinable]

    def sleepers(self) -> list[ExecutionRecord]:
        """Return sleeping rows that have not ended."""
        return [row for row in self.unfinished() if row.is_sleeping]

    def parked(self) -> list[ExecutionRecord]:
        """Return the rows that another program works on."""
        return [row for row in self.rows.values() if row.is_parked]

    def _family(self, row: ExecutionRecord) -> Family:
        children = self.children_of(row.execution_id)
        ordinary = [child for child in children if not child.is_finalize]
        return Family(
            children_count=len(ordinary),
            failed=tuple(child for child in ordinary if child.status in ERRORED),
            finalize=children[-1] if len(children) > len(ordinary) else None,
        )

    def _cancel_below(self, execution_id: str, error: StoredError) -> None:
        for child in self.children_of(execution_id):
            if not child.is_finished:
                self._write(cancelled_with_ancestor(child, error=error, now=self.now))
            self._cancel_below(child.execution_id, error)

    def past_of(self, row: ExecutionRecord) -> Past:
        """Return the attempts before the last one."""
        return self.past.get(row.execution_id, NO_PAST)

    def _add_to_past(self, row: ExecutionRecord, ended: Attempt | None) -> None:
        if ended is not None:
            self.past[row.execution_id] = self.past_of(row).followed_by(ended)

    def _write(self, record: ExecutionRecord) -> None:
        before = self.rows.get(record.execution_id)
        if record.status == "running" and (before is None or before.status != "running"):
            self.begun[record.execution_id] += 1
        self.writes.append((before, record))
        self.rows[record.execution_id] = record
