"""A storage in the memory of one process: for tests, and for work that may die with the process.

Nothing is written anywhere until `save` is called. The rows are the same immutable records that
every storage hands out, changed by the same pure functions; all that is here are the indexes that
make the verbs fast.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from durable_execution._core.labels import check_same_input
from durable_execution._core.past import NO_PAST, Attempt, Past
from durable_execution._core.patch import (
    Finish,
    Patch,
    Requeue,
    Transition,
    Wait,
    counted_off,
    joined_by,
    patched,
)
from durable_execution._core.progress import Progress, Report
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import Family
from durable_execution._core.status import ERRORED, Status
from durable_execution._core.transitions import cancelled_with_ancestor, claimed, unclaimed
from durable_execution.errors import DuplicateSleepingIdError, StoredError
from durable_execution.storage._backlog import backlog_of
from durable_execution.storage._felling import rows_to_delete
from durable_execution.storage._leases import Leases
from durable_execution.storage._reopening import rows_to_reopen
from durable_execution.storage._saved import Saved, read_saved
from durable_execution.storage._shelf import Shelf, place
from durable_execution.storage.protocol import (
    Applied,
    Backlog,
    Beat,
    Claim,
    Claimed,
    Glance,
    ListedExecutor,
    Pulse,
    Reopened,
    Sleepers,
)
from durable_execution.storage.search import Page, Search, Span


def wall_clock() -> int:
    """Return the milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class InMemoryStorage:
    """Executions in dictionaries. The contract is `Storage`'s.

    May be used from several threads and event loops of the process at once; a fork copies it and
    the copies part ways.

    Args:
        clock: Returns the milliseconds since the epoch.
    """

    def __init__(self, *, clock: Callable[[], int] = wall_clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._shelf = Shelf()
        self._leases = Leases()
        self._progress: dict[str, Progress] = {}
        """By execution."""
        self._past: dict[str, Past] = {}
        """By execution."""

    async def open(self) -> None:  # noqa: D102
        return

    @property
    def can_notify(self) -> bool:
        """Return True: all that happens, happens in this process."""
        return True

    @property
    def is_deaf(self) -> bool:
        """Return False: there is no connection that could be cut."""
        return False

    async def close(self) -> None:
        """Do nothing: the rows stay until the object is dropped."""

    def sibling(self) -> InMemoryStorage:
        """Return the storage itself: it may be used from any thread."""
        return self

    async def now(self) -> int:  # noqa: D102
        return self._clock()

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Never call `on_change`: no other process can reach these rows."""
        del on_change
        return _do_nothing

    def save(self) -> bytes:
        """Return everything as bytes, to be given to `load` later, by any version from this on."""
        with self._lock:
            saved = Saved(
                executors=self._leases.ends(),
                records=list(self._shelf.rows()),
                progress=self._progress,
                past=self._past,
            )
            return saved.to_bytes()

    def load(self, saved: bytes) -> None:
        """Replace everything by what was saved.

        The executors of that time count as dead: whatever they ran is found by `orphans`.

        Raises:
            StorageError: The bytes are not from `save`, or from a newer version. Nothing changed.
        """
        content = read_saved(saved)
        shelf = Shelf()
        for record in content.records:
            shelf.put(record)
        with self._lock:
            self._shelf = shelf
            self._leases = Leases(dead=(*content.executors, *shelf.owners()))
            self._progress = content.progress
            self._past = content.past

    async def insert(  # noqa: D102
        self, records: Sequence[ExecutionRecord], *, strict_ids: Collection[str] = ()
    ) -> list[ExecutionRecord | None]:
        with self._lock:
            if strict_ids:
                self._check_keys(records, strict_ids)
            self._insert(records)
            return [self._shelf.key_holder(record) for record in records]

    async def insert_claimed(self, records: Sequence[ExecutionRecord]) -> bool:  # noqa: D102
        with self._lock:
            now = self._clock()
            for record in records:
                if not self._leases.runs(record.executor_id, now):
                    return False
            keyed = [record for record in records if record.idempotency_key is not None]
            if keyed and self._is_one_held(keyed):
                return False
            self._insert(records)
            return True

    async def get(  # noqa: D102
        self, execution_ids: Sequence[str]
    ) -> list[ExecutionRecord | None]:
        with self._lock:
            return [self._shelf.get(execution_id) for execution_id in execution_ids]

    async def glance(self, execution_ids: Sequence[str]) -> list[Glance | None]:  # noqa: D102
        with self._lock:
            rows = map(self._shelf.get, execution_ids)
            return [
                None if row is None else Glance(row.status, row.fence, self._progress_of(row))
                for row in rows
            ]

    async def past_of(self, execution_ids: Sequence[str]) -> list[Past]:  # noqa: D102
        with self._lock:
            return [self._past.get(execution_id, NO_PAST) for execution_id in execution_ids]

    async def report_progress(self, reports: Sequence[Report]) -> list[bool]:  # noqa: D102
        with self._lock:
            return [self._report(report) for report in reports]

    async def get_by_sleeping_unique_id(  # noqa: D102
        self, sleeping_unique_id: str
    ) -> ExecutionRecord | None:
        with self._lock:
            return self._shelf.sleeping(sleeping_unique_id)

    async def children_of(  # noqa: D102
        self, parent_execution_ids: Sequence[str], *, with_payloads: bool = True
    ) -> list[ExecutionRecord]:
        with self._lock:
            children = [
                child
                for parent_id in dict.fromkeys(parent_execution_ids)
                for child in sorted(self._shelf.children(parent_id), key=place)
            ]
        if with_payloads:
            return children
        return [child.without_payloads() for child in children]

    async def last_children_of(  # noqa: D102
        self, parent_execution_ids: Sequence[str]
    ) -> list[ExecutionRecord | None]:
        with self._lock:
            return [self._shelf.last_child(parent_id) for parent_id in parent_execution_ids]

    async def claim(self, claim: Claim) -> Claimed:  # noqa: D102
        with self._lock:
            now = self._clock()
            if not self._leases.runs(claim.executor_id, now) or claim.limit < 1:
                return Claimed(records=())
            ready = self._shelf.take_due(claim.task_ids, now=now, limit=claim.limit)
            records = tuple(claimed(row, executor_id=claim.executor_id, now=now) for row in ready)
            for record in records:
                self._shelf.put(record)
            if len(records) == claim.limit:
                return Claimed(records=records)
            next_start_at = self._shelf.next_start_at(claim.task_ids)
            return Claimed(records=records, next_start_at=next_start_at)

    async def apply(self, transitions: Sequence[Transition]) -> Applied:  # noqa: D102
        with self._lock:
            return self._apply(transitions)

    async def reopen(self, execution_id: str, now: int) -> Reopened:  # noqa: D102
        shelf = self._shelf

        async def families_of(parent_ids: Sequence[str]) -> Mapping[str, Family]:
            return {parent_id: _family(shelf.children(parent_id)) for parent_id in parent_ids}

        with self._lock:
            root = shelf.get(execution_id)
            if root is None or root.status not in ERRORED:
                return Reopened(root=root)
            found = await rows_to_reopen(root, families_of, now=now)
            if isinstance(found, str):
                return Reopened(root=root, refusal=found)
            for each in found:
                shelf.put(each.after)
                self._add_to_past(each.after.execution_id, each.ended)
            rows = tuple(each.after.without_payloads() for each in found)
            return Reopened(root=found[0].after, rows=rows)

    async def heartbeat(self, beat: Beat) -> Pulse:  # noqa: D102
        with self._lock:
            now = self._clock()
            was_known = self._leases.extend(beat, now)
            lost = tuple(
                execution_id
                for execution_id, fence in beat.held
                if not _is_held(self._shelf.get(execution_id), beat.executor_id, fence)
            )
            found_dead = bool(self._leases.dead(now))
            return Pulse(now=now, was_known=was_known, found_dead=found_dead, lost=lost)

    async def known_task_ids(self) -> frozenset[str]:  # noqa: D102
        with self._lock:
            return self._leases.known_task_ids(self._clock())

    async def executors(self, limit: int) -> list[ListedExecutor]:  # noqa: D102
        with self._lock:
            return self._leases.listed(limit)

    async def backlog(self, limit: int, *, since: int, id_from: str) -> Backlog:  # noqa: D102
        with self._lock:
            return backlog_of(self._shelf.rows(), limit, since=since, id_from=id_from)

    async def sign_off(self, executor_id: str) -> None:  # noqa: D102
        with self._lock:
            self._leases.sign_off(executor_id)

    async def held_by(  # noqa: D102
        self, executor_id: str, limit: int
    ) -> list[ExecutionRecord]:
        with self._lock:
            return self._shelf.held_by(executor_id)[: max(0, limit)]

    async def orphans(self, limit: int) -> list[ExecutionRecord]:  # noqa: D102
        with self._lock:
            orphans: list[ExecutionRecord] = []
            for executor_id in self._leases.dead(self._clock()):
                held = self._shelf.held_by(executor_id)
                orphans.extend(held)
                if not held:
                    self._leases.forget(executor_id)
            return orphans[: max(0, limit)]

    async def joinable(  # noqa: D102
        self, task_ids: frozenset[str], limit: int
    ) -> list[ExecutionRecord]:
        with self._lock:
            return self._shelf.joinable(task_ids, max(0, limit))

    async def expired_sleepers(self, limit: int) -> Sleepers:  # noqa: D102
        if limit < 1:
            return Sleepers(records=())
        with self._lock:
            now = self._clock()
            records, next_expires_at = self._shelf.expired_sleepers(now=now, limit=limit)
            return Sleepers(records=tuple(records), next_expires_at=next_expires_at)

    async def earliest_ready(self) -> int | None:  # noqa: D102
        with self._lock:
            return self._shelf.next_start_at(self._shelf.ready_task_ids())

    async def search(self, search: Search) -> Page:  # noqa: D102
        span = search.span()
        with self._lock:
            found: list[ExecutionRecord] = []
            for row in self._within(search, span):
                if search.matches(row):
                    found.append(row)
                    if len(found) > search.limit:
                        break
        return search.page(
            found if search.with_payloads else [row.without_payloads() for row in found]
        )

    async def counts(  # noqa: D102
        self, task_ids: frozenset[str] | None = None
    ) -> dict[str, dict[Status, int]]:
        counts: dict[str, dict[Status, int]] = {}
        with self._lock:
            for row in self._shelf.rows():
                if task_ids is None or row.task_id in task_ids:
                    of_task = counts.setdefault(row.task_id, {})
                    of_task[row.status] = of_task.get(row.status, 0) + 1
        return counts

    async def delete_finished(  # noqa: D102
        self, finished_before: int, limit: int, *, id_before: str
    ) -> int:
        shelf = self._shelf

        async def children_of(parent_ids: Sequence[str], at_most: int) -> list[str]:
            ids = (each for parent_id in parent_ids for each in shelf.child_ids(parent_id))
            return list(islice(ids, at_most))

        with self._lock:
            taken = shelf.take_finished_roots(finished_before, limit, id_before=id_before)
            doomed = (await rows_to_delete(taken, limit, children_of)).rows
            for row in map(shelf.get, doomed):
                if row is not None:
                    shelf.remove(row)
                    self._progress.pop(row.execution_id, None)
                    self._past.pop(row.execution_id, None)
            for row in map(shelf.get, taken):
                if row is not None:
                    shelf.keep_finished_root(row)
            return len(doomed)

    def _progress_of(self, row: ExecutionRecord) -> Progress | None:
        return self._progress.get(row.execution_id)

    def _report(self, report: Report) -> bool:
        row = self._shelf.get(report.execution_id)
        if row is None or row.status != "running" or row.fence != report.progress.fence:
            return False
        kept = self._progress_of(row)
        if kept is None or report.progress.place > kept.place:
            self._progress[row.execution_id] = report.progress
        return True

    def _within(self, search: Search, span: Span) -> Iterator[ExecutionRecord]:
        """Walk the rows among which to look, in the order of the search."""
        ids = self._shelf.sorted_ids()
        if search.parent_execution_id is not None:
            ids = sorted(self._shelf.child_ids(search.parent_execution_id))
        first = 0 if span.id_from is None else bisect_left(ids, span.id_from)
        if span.id_after is not None:
            first = max(first, bisect_right(ids, span.id_after))
        end = len(ids) if span.id_before is None else bisect_left(ids, span.id_before)
        places = range(first, end)
        for at in places if search.order == "oldest_first" else reversed(places):
            row = self._shelf.get(ids[at])
            if row is not None:
                yield row

    def _check_keys(self, records: Sequence[ExecutionRecord], strict_ids: Collection[str]) -> None:
        first: dict[tuple[str, str], ExecutionRecord] = {}
        for record in records:
            key = record.idempotency_key
            if key is None:
                continue
            earlier = first.setdefault((record.task_id, key), record)
            if record.execution_id in strict_ids:
                check_same_input(record, self._shelf.key_holder(record) or earlier)

    def _is_one_held(self, keyed: Sequence[ExecutionRecord]) -> bool:
        """Whether the key of one of these new rows is another row's, or that of two of them."""
        if len({(record.task_id, record.idempotency_key) for record in keyed}) < len(keyed):
            return True
        return any(self._shelf.key_holder(record) is not None for record in keyed)

    def _insert(self, records: Sequence[ExecutionRecord]) -> None:
        new: dict[str, ExecutionRecord] = {}
        taken: set[str] = set()
        keys: set[tuple[str, str]] = set()
        for record in records:
            if record.execution_id in new or record.execution_id in self._shelf:
                continue
            if record.idempotency_key is not None:
                key = (record.task_id, record.idempotency_key)
                if key in keys or self._shelf.key_holder(record) is not None:
                    continue
                keys.add(key)
            new[record.execution_id] = record
            unique_id = record.sleeping_unique_id
            if unique_id is None:
                continue
            if unique_id in taken or self._shelf.sleeping(unique_id) is not None:
                raise DuplicateSleepingIdError(unique_id)
            taken.add(unique_id)
        for record in new.values():
            self._shelf.put(record)

    def _apply(self, transitions: Sequence[Transition]) -> Applied:
        rows = [self._shelf.get(transition.guard.execution_id) for transition in transitions]
        matched = tuple(
            [
                row is not None and transition.guard.holds(row)
                for row, transition in zip(rows, transitions, strict=True)
            ]
        )
        held = [
            (row, transition)
            for row, transition, holds in zip(rows, transitions, matched, strict=True)
            if row is not None and holds
        ]
        joining = [
            (parent, transition.joins)
            for _, transition in held
            if transition.joins is not None
            and joined_by(transition, parent := self._shelf.get(transition.counts_off or ""))
            and parent is not None
        ]
        joined = {id(joins) for _, joins in joining}
        moved = [*held, *joining]
        children = [child for _, transition in moved for child in transition.children]
        has_started = self._can_start(children)
        # First what may be refused: after it nothing can fail, so that a batch is all or nothing.
        self._insert(children if has_started else [_unstarted(child) for child in children])
        waiting: list[str] = []
        for row, transition in moved:
            patch = transition.patch
            self._shelf.put(patched(row, patch))
            if isinstance(patch, Wait):
                waiting.append(row.execution_id)
            elif isinstance(patch, Requeue):
                self._add_to_past(row.execution_id, patch.ended)
        waiting += self._count_off(each for _, each in moved if id(each.joins) not in joined)
        for row, transition in held:
            if transition.cancels_descendants is not None:
                self._cancel_below(row.execution_id, transition, transition.cancels_descendants)
        current = (self._shelf.get(execution_id) for execution_id in dict.fromkeys(waiting))
        joinable = tuple(row for row in current if row is not None and row.is_joinable)
        return Applied(
            matched=matched,
            joinable=joinable,
            joined=tuple(id(each.joins) in joined for each in transitions) if joined else (),
            has_started=has_started,
        )

    def _can_start(self, children: Sequence[ExecutionRecord]) -> bool:
        """Whether the executor of those that are given as running has a lease."""
        now = self._clock()
        owners = {child.executor_id for child in children if _is_claimed(child)}
        return all(self._leases.runs(owner, now) for owner in owners)

    def _add_to_past(self, execution_id: str, ended: Attempt | None) -> None:
        if ended is not None:
            past = self._past.get(execution_id, NO_PAST)
            self._past[execution_id] = past.followed_by(ended)

    def _count_off(self, transitions: Iterable[Transition]) -> list[str]:
        finished: Counter[str] = Counter()
        latest: dict[str, int] = {}
        for transition in transitions:
            parent_id = transition.counts_off
            if parent_id is not None:
                finished[parent_id] += 1
                latest[parent_id] = max(latest.get(parent_id, 0), _instant(transition.patch))
        for parent_id, count in finished.items():
            parent = self._shelf.get(parent_id)
            if parent is not None:
                self._shelf.put(counted_off(parent, count, latest[parent_id]))
        return list(finished)

    def _cancel_below(self, execution_id: str, transition: Transition, error: StoredError) -> None:
        now = _instant(transition.patch)
        ancestors = [execution_id]
        while ancestors:
            for child in self._shelf.children(ancestors.pop()):
                if not child.is_finished:
                    self._shelf.put(cancelled_with_ancestor(child, error=error, now=now))
                    ancestors.append(child.execution_id)


def _is_claimed(child: ExecutionRecord) -> bool:
    return child.executor_id is not None


def _unstarted(child: ExecutionRecord) -> ExecutionRecord:
    return unclaimed(child) if _is_claimed(child) else child


def _instant(patch: Patch) -> int:
    return patch.finished_at if isinstance(patch, Finish) else patch.updated_at


def _family(children: Sequence[ExecutionRecord]) -> Family:
    ordinary = [child for child in children if not child.is_finalize]
    return Family(
        children_count=len(ordinary),
        failed=tuple(sorted((each for each in ordinary if each.status in ERRORED), key=place)),
        finalize=max((each for each in children if each.is_finalize), key=place, default=None),
    )


def _is_held(record: ExecutionRecord | None, executor_id: str, fence: int) -> bool:
    return (
        record is not None
        and record.status == "running"
        and record.executor_id == executor_id
        and record.fence == fence
    )


def _do_nothing() -> None:
    return
