"""Everything that the engine reads and writes, in batches, and who hears of what was written."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Container,
    Coroutine,
    Iterator,
    Sequence,
)
from typing import Final, NamedTuple, TypeVar

from durable_execution._core.past import NO_PAST, Past, may_have_past
from durable_execution._core.patch import Finish, Park, Patch, Requeue, Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.batcher import Batcher, OnFlush, Receiver
from durable_execution._engine.eager import EagerStart, NewRow, Start
from durable_execution._engine.patience import Patience
from durable_execution._engine.reports import Reports
from durable_execution._engine.successors import Change, new_rows, not_inserted, with_claimed
from durable_execution._observing import BatchWritten, Fact
from durable_execution.errors import StorageUnavailableError
from durable_execution.storage.protocol import Applied, Storage

logger = logging.getLogger(__name__)

BATCH_LIMIT: Final = 1000
FAMILY_LIMIT: Final = 50
"""Parents whose children are read together; each may have a thousand."""
PATIENT_TRIES: Final = 8
"""Tries for a caller who waits, while the storage cannot be reached: about two seconds."""

ResultT = TypeVar("ResultT")


class Group(NamedTuple):
    """Records that are inserted together or not at all, and those whose keys are strict."""

    records: Sequence[ExecutionRecord]
    strict_ids: Collection[str]


class Listeners(NamedTuple):
    """Who is told what was written; each is called on the event loop and must not block."""

    inserted: Callable[[Sequence[ExecutionRecord]], None]
    requeued: Callable[[int], None]
    moved: Callable[[ExecutionRecord, Patch], None]
    """Given a row as it was, and how it goes on without being finished."""
    parked: Callable[[int], None]
    """Given when the row expires."""
    finished: Callable[[Sequence[tuple[ExecutionRecord, Finish]]], None]
    """Given the rows as they were, and how they have finished."""
    cascaded: Callable[[], None]
    joinable: Callable[[Sequence[ExecutionRecord]], None]
    doubted: Callable[[], None]
    """Changes may have been written of which nobody was told, because their answer was lost."""


class Commits:
    """The engine's side of the storage: group commit for every verb that single tasks use."""

    def __init__(
        self,
        storage: Storage,
        *,
        jitter: Callable[[], float] = random.random,
        tell: Callable[[Fact], None] | None = None,
    ) -> None:
        self._storage = storage
        self._loop = asyncio.get_running_loop()
        self._jitter = jitter

        def told(verb: str) -> OnFlush | None:
            if tell is None:
                return None
            return lambda size, duration: tell(BatchWritten(verb, size, duration))

        self._inserts = Batcher(self._insert, limit=BATCH_LIMIT, told=told("insert"))
        self._groups = Batcher(self._insert_groups, limit=1, told=told("insert_all"))
        self._changes = Batcher(self._apply, limit=BATCH_LIMIT, told=told("apply"))
        self.send: Callable[[Change, Receiver[bool]], None] = self._changes.add
        """Applies a transition with the next batch, once; the receiver hears whether it matched.

        Raises ExecutorShutDownError when the engine has ended.
        """
        self._reads = Batcher(storage.get, limit=BATCH_LIMIT, told=told("get"))
        self._families = Batcher(self._children_of, limit=FAMILY_LIMIT, told=told("children_of"))
        self._summaries = Batcher(self._summaries_of, limit=BATCH_LIMIT, told=told("summaries_of"))
        self._pasts = Batcher(storage.past_of, limit=BATCH_LIMIT, told=told("past_of"))
        self._listeners: Listeners | None = None
        self._eager: EagerStart | None = None
        self._reports: Reports | None = None
        self._is_in_doubt = False

    def tell(
        self,
        listeners: Listeners,
        eager: EagerStart | None = None,
        reports: Reports | None = None,
    ) -> None:
        """Name those who hear of writes, who starts what it can, and whose progress goes first."""
        self._listeners = listeners
        self._eager = eager
        self._reports = reports

    def insert(
        self, record: ExecutionRecord, decoded_input: object
    ) -> asyncio.Future[ExecutionRecord | None]:
        """Insert a record, durable when this is done; its result is the one that has its key.

        The decoded input is for an attempt that starts with the insert, and for nobody else. Where
        the storage cannot be reached, `insert_again` is to follow.

        Raises:
            DuplicateSleepingIdError: Its sleeping id is taken.
        """
        return self._inserts.submit(NewRow(record, decoded_input, may_start=True))

    async def insert_again(
        self, record: ExecutionRecord, decoded_input: object, refusal: StorageUnavailableError
    ) -> ExecutionRecord | None:
        """Insert a record after the storage could not be reached, as `insert` does.

        Raises:
            DuplicateSleepingIdError: Its sleeping id is taken.
            StorageUnavailableError: The storage could not be reached for about two seconds. The
                record may have been written if only the answer was lost.
        """
        row = NewRow(record, decoded_input, may_start=False)
        return await self._insist(lambda: self._inserts.submit(row), refusal, tries=PATIENT_TRIES)

    async def insert_all(
        self, records: Sequence[ExecutionRecord], strict_ids: Collection[str]
    ) -> Sequence[ExecutionRecord | None]:
        """Insert records in one transaction of their own; return who has their keys instead.

        Raises:
            DuplicateSleepingIdError: The sleeping id of one is taken; nothing was written.
            IdempotencyConflictError: As `Storage.insert` says; nothing was written.
            StorageUnavailableError: As `insert` says, of all or none.
        """
        group = Group(records, strict_ids)
        return await self._persist(lambda: self._groups.submit(group), tries=PATIENT_TRIES)

    async def get(
        self, execution_id: str, *, tries: int | None = PATIENT_TRIES
    ) -> ExecutionRecord | None:
        """Return a record, or None if there is none. `tries=None` waits for the storage."""
        try:
            return await self._reads.submit(execution_id)
        except StorageUnavailableError as error:
            first = error
        return await self._insist(lambda: self._reads.submit(execution_id), first, tries=tries)

    async def ask(self, question: Callable[[Storage], Awaitable[ResultT]]) -> ResultT:
        """Return the storage's answer to what no batch reads, as patient as `get`."""
        return await self._persist(lambda: question(self._storage), tries=PATIENT_TRIES)

    async def children_of(self, parent_execution_id: str) -> list[ExecutionRecord]:
        """Return all children of a parent, by index, its finalize child last.

        Goes on trying for as long as the storage cannot be reached.
        """
        return await self._persist(lambda: self._families.submit(parent_execution_id), tries=None)

    async def summaries_of(self, parent_execution_id: str) -> list[ExecutionRecord]:
        """Return the same without payloads, as patient as `get`; many who ask share the answer."""
        return await self._persist(
            lambda: self._summaries.submit(parent_execution_id), tries=PATIENT_TRIES
        )

    async def past_of(self, record: ExecutionRecord) -> Past:
        """Return the attempts before the last one, as patient as `get`; most rows are not asked."""
        if not may_have_past(record):
            return NO_PAST
        return await self._persist(
            lambda: self._pasts.submit(record.execution_id), tries=PATIENT_TRIES
        )

    async def apply(self, record: ExecutionRecord, transition: Transition) -> bool:
        """Apply a transition; return whether its guard held.

        Goes on trying for as long as the storage cannot be reached, because the work behind an
        outcome is done and must not be lost; whoever loses the lease meanwhile cancels this.

        Raises:
            DuplicateSleepingIdError: A child's sleeping id is taken; nothing was written.
        """
        change = Change(record, transition)
        return await self._persist(lambda: self._changes.submit(change), tries=None)

    async def drained(self) -> None:
        """Wait until everything submitted so far is written."""
        await self._inserts.drained()
        await self._groups.drained()
        await self._changes.drained()

    def pumps(self) -> tuple[Callable[[], Coroutine[None, None, None]], ...]:
        """Return the loops that must run for the batches to flow."""
        return (
            self._inserts.run,
            self._groups.run,
            self._changes.run,
            self._reads.run,
            self._families.run,
            self._summaries.run,
            self._pasts.run,
        )

    async def _children_of(self, parent_ids: list[str]) -> Sequence[list[ExecutionRecord]]:
        families: dict[str | None, list[ExecutionRecord]] = {each: [] for each in parent_ids}
        for child in await self._storage.children_of(list(dict.fromkeys(parent_ids))):
            families[child.parent_execution_id].append(child)
        return [families[parent_id] for parent_id in parent_ids]

    async def _summaries_of(self, parent_ids: list[str]) -> Sequence[list[ExecutionRecord]]:
        families: dict[str | None, list[ExecutionRecord]] = {each: [] for each in parent_ids}
        asked = list(dict.fromkeys(parent_ids))
        for first in range(0, len(asked), FAMILY_LIMIT):
            part = asked[first : first + FAMILY_LIMIT]
            for child in await self._storage.children_of(part, with_payloads=False):
                families[child.parent_execution_id].append(child)
        return [families[parent_id] for parent_id in parent_ids]

    async def _insert(self, rows: list[NewRow]) -> Sequence[ExecutionRecord | None]:
        start = None if self._eager is None else self._eager.choose(rows)
        records = [row.record for row in rows]
        if self._eager is None or start is None:
            return await self._insert_ready(records)
        if len(start.records) == len(rows):
            return (await self._insert_rest_and_start([], start, self._eager))[1]  # nearly always
        started = {record.execution_id for record in start.records}
        rest = [each for each in records if each.execution_id not in started]
        # What starts goes last: after it nothing may fail, or it would be sent and started again.
        of_rest, of_started = await self._insert_rest_and_start(rest, start, self._eager)
        holders = iter(of_rest), iter(of_started)
        return [next(holders[each.execution_id in started]) for each in records]

    async def _insert_groups(
        self, groups: list[Group]
    ) -> Sequence[Sequence[ExecutionRecord | None]]:
        return [await self._insert_ready(each.records, each.strict_ids) for each in groups]

    async def _insert_rest_and_start(
        self, rest: list[ExecutionRecord], start: Start, eager: EagerStart
    ) -> tuple[Sequence[ExecutionRecord | None], Sequence[ExecutionRecord | None]]:
        """Return who holds the keys of the two kinds of rows; nobody those of what has started."""
        with eager.landing(start, is_inserted=False) as landing:
            holders = await self._insert_ready(rest) if rest else []
            landing.is_inserted = None
            landing.is_inserted = await self._storage.insert_claimed(start.records)
        if landing.is_inserted:
            return holders, [None] * len(start.records)
        return holders, await self._insert_ready([row.record for row in start.rows])

    async def _insert_ready(
        self, records: Sequence[ExecutionRecord], strict_ids: Collection[str] = ()
    ) -> Sequence[ExecutionRecord | None]:
        if strict_ids:
            holders = await self._storage.insert(records, strict_ids=strict_ids)
        else:
            holders = await self._storage.insert(records)
        if self._listeners is not None:
            self._listeners.inserted(records)
        return holders

    async def _apply(self, changes: list[Change]) -> Sequence[bool]:
        """Apply a batch; what would change a row twice waits for a second round."""
        rows = [row for change in changes for row in change.rows()]
        if len(set(rows)) == len(rows):
            return await self._apply_distinct(changes)
        results: list[bool] = [False] * len(changes)
        places = list(range(len(changes)))
        while places:
            seen: set[str] = set()
            now: list[int] = []
            later: list[int] = []
            for place in places:
                concerned = changes[place].rows()
                (now if seen.isdisjoint(concerned) else later).append(place)
                seen.update(concerned)
            answers = await self._apply_distinct([changes[place] for place in now])
            for place, matched in zip(now, answers, strict=True):
                results[place] = matched
            places = later
        return results

    async def _apply_distinct(self, changes: list[Change]) -> Sequence[bool]:
        start = None
        if self._eager is not None and (rows := new_rows(changes)):
            start = self._eager.choose(rows)
        if self._eager is None or start is None:
            applied = await self._apply_once([change.transition for change in changes])
            self._announce(changes, applied)
            return applied.matched
        claimed = {record.execution_id: record for record in start.records}
        with self._eager.landing(start, is_inserted=None) as landing:
            applied = await self._apply_once(with_claimed(changes, claimed))
            landing.left_out = not_inserted(changes, applied)
            landing.is_inserted = applied.has_started
        self._announce(changes, applied, claimed if landing.is_inserted else ())
        return applied.matched

    async def _apply_once(self, transitions: Sequence[Transition]) -> Applied:
        reports = self._reports
        if reports is not None and reports.is_busy:
            # First what was said by attempts that end with these: later it is not theirs to say.
            ids = [move.guard.execution_id for move in transitions]
            if reports.concern(ids):
                await reports.write(ids)
        try:
            applied = await self._storage.apply(transitions)
        except StorageUnavailableError:
            self._is_in_doubt = True
            raise
        if self._is_in_doubt:
            self._is_in_doubt = False
            if self._listeners is not None:
                self._listeners.doubted()
        return applied

    def _announce(
        self,
        changes: Sequence[Change],
        applied: Applied,
        started: Container[str] = (),
    ) -> None:
        listeners = self._listeners
        if listeners is None:
            return
        finished: list[tuple[ExecutionRecord, Finish]] = []
        for record, transition in _applied_moves(changes, applied):
            if isinstance(transition.patch, Finish):
                finished.append((record, transition.patch))
            else:
                _announce_unfinished(record, transition.patch, listeners)
            ready = [each for each in transition.children if each.execution_id not in started]
            if ready:
                listeners.inserted(ready)
            if transition.cancels_descendants is not None:
                listeners.cascaded()
        if applied.joinable:
            listeners.joinable(applied.joinable)
        if finished:
            # A turn of the loop later: an attempt gives its place free before its result is told.
            self._loop.call_soon(listeners.finished, finished)

    async def _persist(
        self, submit: Callable[[], Awaitable[ResultT]], *, tries: int | None
    ) -> ResultT:
        """Submit until the storage answers, or `tries` times."""
        try:
            return await submit()
        except StorageUnavailableError as error:
            first = error
        return await self._insist(submit, first, tries=tries)

    async def _insist(
        self,
        submit: Callable[[], Awaitable[ResultT]],
        refusal: StorageUnavailableError,
        *,
        tries: int | None,
    ) -> ResultT:
        """Submit again until the storage answers; the first of the tries was refused."""
        logger.warning("storage unavailable, trying again", extra={"error": str(refusal)})
        patience = Patience(self._jitter)
        tried = 1
        while tries is None or tried < tries:
            tried += 1
            await asyncio.sleep(patience.next_pause())
            try:
                return await submit()
            except StorageUnavailableError as error:
                refusal = error
        raise refusal


def _applied_moves(
    changes: Sequence[Change], applied: Applied
) -> Iterator[tuple[ExecutionRecord, Transition]]:
    """Return what was applied, with the records that it was decided on."""
    for place, (change, was_matched) in enumerate(zip(changes, applied.matched, strict=True)):
        if was_matched and applied.joined and applied.joined[place]:
            yield from change.moves()
        elif was_matched:
            yield change.record, change.transition


def _announce_unfinished(record: ExecutionRecord, patch: Patch, listeners: Listeners) -> None:
    listeners.moved(record, patch)
    if isinstance(patch, Requeue):
        listeners.requeued(patch.start_at)
    elif isinstance(patch, Park):
        listeners.parked(patch.expires_at)
