"""What a storage is: a shelf that looks up, compares and applies, and claims. It decides nothing.

The contract below is complete: `durable_execution.testing.storage_suite` checks a storage against
it, and any class that passes can be given to a `DurableExecutor`.

For every method:

- It is atomic: one database transaction, all of it or nothing. When the call raises, nothing was
  written, with one exception that callers must expect: after `StorageUnavailableError` the write
  may have happened and only its answer was lost. All writes are safe to repeat.
- It may be called from many tasks of one event loop at once, and from many processes.
- Instants are milliseconds since the epoch; "now" is the storage's own clock, which is the same
  for all executors that share the storage.
- Records that are handed out are snapshots; changing the storage never changes them.
- Failures are `StorageError`s; what may pass by itself (locked, disconnected) is
  `StorageUnavailableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from durable_execution._core.past import Past
from durable_execution._core.patch import Transition
from durable_execution._core.progress import Progress, Report
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import Refusal
from durable_execution._core.status import Status
from durable_execution.storage.search import Page, Search


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A request for work."""

    executor_id: str
    task_ids: frozenset[str]
    limit: int


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that were claimed, in the order of `start_at`, and when to ask again.

    `next_start_at` is set when fewer rows than the limit were ready: the earliest `start_at` of a
    ready row of these tasks that still lies in the future, or None when there is none.
    """

    records: tuple[ExecutionRecord, ...]
    next_start_at: int | None = None


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of transitions."""

    matched: tuple[bool, ...]
    """For each transition, in order, whether its guard held and it was applied."""
    joinable: tuple[ExecutionRecord, ...] = ()
    """Rows that wait and whose count is zero because of this batch, as they are now."""
    joined: tuple[bool, ...] = ()
    """For each transition, in order, whether what it `joins` was applied; empty where none was."""
    has_started: bool = True
    """Whether children that were given as running were inserted so."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life: extends the lease, and asks which of the held rows are still held."""

    executor_id: str
    lease_ms: int
    held: tuple[tuple[str, int], ...] = ()
    """(execution id, fence) of the rows that the executor is running."""
    task_ids: frozenset[str] | None = None
    """The tasks that it runs, to be kept until it is forgotten; None: they are as they were."""
    ended: int = 0
    """Attempts that have ended on it since it started, for whoever looks at executors."""


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a beat."""

    now: int
    """The storage's clock."""
    was_known: bool
    """Whether the executor was registered before this beat.

    False: it is new, it signed off, or its lease was over and it was forgotten.
    """
    found_dead: bool = False
    """Whether some executor's lease is over or signed off, so that `orphans` is worth a call."""
    lost: tuple[str, ...] = ()
    """Held rows that are no longer the executor's: cancelled, finished or rescued elsewhere."""


class ListedExecutor(msgspec.Struct, frozen=True, kw_only=True):
    """An executor as its last beat left it. What None stands for, an older release did not tell."""

    executor_id: str
    lease_expires_at: int
    """0 once it has signed off."""
    task_ids: frozenset[str] | None = None
    started_at: int | None = None
    beat_at: int | None = None
    held_count: int | None = None
    """Executions that it ran."""
    ended_count: int | None = None


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What is left to do, and what went wrong lately, as far as a bounded number of rows tells."""

    ready: dict[str, tuple[int, int]]
    """By task: ready rows, and the earliest `start_at` of them."""
    failed: dict[str, dict[Status, int]]
    """By task: rows that failed lately."""
    sleeping: int
    """Rows that sleep or are parked."""
    created: int
    """Rows that were created lately."""
    finished: int
    """Those of them that have finished."""


class Sleepers(msgspec.Struct, frozen=True, kw_only=True):
    """Sleeping and parked rows past their expiry, the earliest first, and when to ask again.

    `next_expires_at` is set when fewer rows than the limit were found: the earliest expiry of a
    such a row that still lies in the future, or None when there is none.
    """

    records: tuple[ExecutionRecord, ...]
    next_expires_at: int | None = None


class Glance(msgspec.Struct, frozen=True, gc=False):
    """What those who watch a row need to know to see whether it has changed."""

    status: Status
    fence: int
    progress: Progress | None = None
    """The newest that was reported."""


class Reopened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a tree that was to be retried."""

    root: ExecutionRecord | None
    """As it is now; None if there is no such row."""
    rows: tuple[ExecutionRecord, ...] = ()
    """The rows that were reopened, as they are now, the root among them; payloads left out."""
    refusal: Refusal | None = None
    """Why nothing was reopened, unless the root has not failed or is not there."""


class Storage(Protocol):
    """The verbs of a storage."""

    @property
    def can_notify(self) -> bool:
        """Whether `listen` reports what others change; else who waits has to look often.

        Known once the storage is open.
        """
        ...

    @property
    def is_deaf(self) -> bool:
        """Whether it would report changes, but does not at this moment, for want of a connection.

        It makes that good by itself, and calls `on_change` when it hears again.
        """
        ...

    async def open(self) -> None:
        """Connect, and create or migrate the schema under a lock. Idempotent."""
        ...

    async def close(self) -> None:
        """Let go of every connection and thread. Idempotent; the storage may be opened again."""
        ...

    def sibling(self) -> Storage:
        """Return another storage on the same data, with connections of its own, not yet open.

        For use on the event loop of another thread, such as the one that keeps the lease alive
        while this loop is busy. A storage without connections may return itself, if its
        `heartbeat` may be called from any thread.
        """
        ...

    async def now(self) -> int:
        """Return the storage's clock."""
        ...

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` on the event loop soon after another process may have changed rows.

        Best effort: changes may be reported together, late, or not at all, and own changes may be
        reported too. Returns a function that ends the listening. Called after `open`.
        """
        ...

    async def insert(
        self, records: Sequence[ExecutionRecord], *, strict_ids: Collection[str] = ()
    ) -> list[ExecutionRecord | None]:
        """Insert new rows; return for each, in order, the row that holds its key instead.

        A row whose `execution_id` exists already is left as it is, so that an insert can be
        repeated when its answer was lost.

        A row whose `idempotency_key` another row of its task has is not inserted, and the answer
        is that other row as it is now, whether it was there before, is inserted by another process
        at the same moment, or comes earlier in `records`. For all others the answer is None.

        Rows that are named in `strict_ids` must not meet a key that was used with another `input`
        (`labels.check_same_input`): then nothing is inserted at all.

        Raises:
            DuplicateSleepingIdError: Another row has the `sleeping_unique_id` of one of these.
            IdempotencyConflictError: A strict row's key is held by a row with another input.
        """
        ...

    async def insert_claimed(self, records: Sequence[ExecutionRecord]) -> bool:
        """Insert new rows that are claimed already; return whether that was done.

        The rows are as `transitions.claimed` leaves new roots without tags, all claimed by one
        executor at one instant. If that executor is not registered, or its lease is over, nothing
        is inserted and the answer is False: its rows would be orphans at once. So it is if the
        idempotency key of one of them is held, by a row that exists or by another of these. Unlike
        the others this write must not be repeated when its answer was lost, because the rows may
        have moved on since.
        """
        ...

    async def get(self, execution_ids: Sequence[str]) -> list[ExecutionRecord | None]:
        """Return the rows in the order of the ids, None where there is none."""
        ...

    async def glance(self, execution_ids: Sequence[str]) -> list[Glance | None]:
        """Return what has become of rows, in the order of the ids, None where there is none.

        Cheap: for those who watch many rows and ask again and again.
        """
        ...

    async def past_of(self, execution_ids: Sequence[str]) -> list[Past]:
        """Return the past attempts of rows, in the order of the ids, none where there is no row.

        Kept with the row and gone with it; no other verb reads them.
        """
        ...

    async def report_progress(self, reports: Sequence[Report]) -> list[bool]:
        """Keep the progress of rows; tell for each whether its row is held as the report says.

        Of a row that is `running` with the `fence` of the report, the progress becomes that of the
        report, unless what is kept is newer (`Progress.place`). Other rows are left as they are,
        so that a worker that lost its lease reports nothing. What is kept outlasts the attempt and
        goes with the row. A batch holds at most one report for a row.
        """
        ...

    async def get_by_sleeping_unique_id(self, sleeping_unique_id: str) -> ExecutionRecord | None:
        """Return the sleeping row with that unique id, finished or not."""
        ...

    async def children_of(
        self, parent_execution_ids: Sequence[str], *, with_payloads: bool = True
    ) -> list[ExecutionRecord]:
        """Return the children of these parents: by parent, by index, finalize children last.

        Without payloads `input` is empty and `run_output`, `output` and `traceparent` are None:
        cheap, for lists.
        """
        ...

    async def last_children_of(
        self, parent_execution_ids: Sequence[str]
    ) -> list[ExecutionRecord | None]:
        """Return for each parent, in order, its last finalize child or else its last child.

        The last is the one of highest index.

        The cost does not grow with the number of children: a loop has one for every turn.
        """
        ...

    async def claim(self, claim: Claim) -> Claimed:
        """Make ready rows running, as `transitions.claimed` says, and return them.

        Eligible is a row that is `ready`, whose `start_at` has come, and whose task is one of
        `task_ids`; the earliest `start_at` first. Rows that another claim holds locked are passed
        over. An executor that is not registered (see `heartbeat`), or whose lease is over, claims
        nothing and is told no next start: its rows would be orphans at once.
        """
        ...

    async def apply(self, transitions: Sequence[Transition]) -> Applied:
        """Apply a batch of transitions in one database transaction.

        Each transition whose guard holds is applied whole: the patch (`patch.patched`), what it
        adds to the row's past (`Requeue.ended`, as `Past.followed_by` says), the children, one off
        the parent's count (`patch.counted_off`, only while the parent waits), the cascade over
        unfinished descendants (`transitions.cancelled_with_ancestor`). One whose guard does not
        hold changes nothing and does not disturb the others. A batch holds at most one transition
        for a row.

        Guards are judged on the rows as they were before the batch. Then come all patches, all
        children, all count-offs, and last the cascades in the order of the batch. The instant of
        a count-off or a cascade is that of its transition; a parent that several transitions of
        the batch count off gets the latest of theirs.

        What a transition `joins` is judged with it (`patch.joined_by`) and applied whole in the
        place of its count-off: the parent's patch, its children, and one off the count of its own
        parent. If its guard does not hold, the child is counted off as without it. A batch holds
        no other transition for a row that is joined.

        Children may be given as running, as `transitions.claimed` leaves new ones, all of a batch
        claimed by one executor at one instant. If that executor is not registered, or its lease is
        over, they are inserted as `transitions.unclaimed` says, and `has_started` is False.

        Raises:
            DuplicateSleepingIdError: A child's `sleeping_unique_id` is taken; nothing was applied.
        """
        ...

    async def reopen(self, execution_id: str, now: int) -> Reopened:
        """Run a tree again that has failed: its root, and what failed below it.

        As `reopening.reopen` says of each row, what it adds to its past included, in one
        transaction: of two callers at one moment one reopens the tree, and the other one finds it
        unfinished. Nobody deletes any of it meanwhile. A root that has completed, or has yet to
        end, is left as it is.
        """
        ...

    async def heartbeat(self, beat: Beat) -> Pulse:
        """Register the executor, or extend its lease to `lease_ms` from now."""
        ...

    async def known_task_ids(self) -> frozenset[str]:
        """Return the tasks that executors whose lease runs have told of with a beat."""
        ...

    async def executors(self, limit: int) -> list[ListedExecutor]:
        """Return executors: the living, and the dead that nobody has forgotten yet, by their ids.

        At most `limit`, those first whose lease ends last.
        """
        ...

    async def backlog(self, limit: int, *, since: int, id_from: str) -> Backlog:
        """Count what is left to do and what went wrong since an instant, at a bounded cost.

        Of each kind of rows at most `limit` are counted: the ready ones of the earliest start; of
        those that have failed the ones of the highest ids, if they finished at `since` or later; of
        those that were created at `since` or later, whose ids are `id_from` or higher, any.
        """
        ...

    async def sign_off(self, executor_id: str) -> None:
        """Forget an executor that has ended; rows it still holds become orphans at once."""
        ...

    async def held_by(self, executor_id: str, limit: int) -> list[ExecutionRecord]:
        """Return rows that are running on this executor, alive or not.

        For an executor that cannot know which rows it holds, because the answer to a claim was
        lost. Reads all rows where there is no index on running ones; rare.
        """
        ...

    async def orphans(self, limit: int) -> list[ExecutionRecord]:
        """Return running rows that an executor holds whose lease is over or signed off.

        None of them sleeps or is parked.

        An executor whose lease is over and that holds no row any more is forgotten by this call,
        unless there are as many orphans as the limit or more: then by a later one.
        """
        ...

    async def joinable(self, task_ids: frozenset[str], limit: int) -> list[ExecutionRecord]:
        """Return waiting rows of these tasks whose count is zero."""
        ...

    async def expired_sleepers(self, limit: int) -> Sleepers:
        """Return running rows with a sleeping id whose `expires_at` has come, the earliest first.

        Those are sleeping rows and parked ones.
        """
        ...

    async def earliest_ready(self) -> int | None:
        """Return the earliest `start_at` of a ready row of any task, or None. Cheap."""
        ...

    async def search(self, search: Search) -> Page:
        """Return rows for which `Search.matches` holds, a page at a time, in the order of ids.

        Make the page with `Search.span` and `Search.page`. May read all rows of the span where no
        index helps; that delays no other call for long.

        Raises:
            InvalidInputError: The cursor is not one of such a search.
        """
        ...

    async def counts(self, task_ids: frozenset[str] | None = None) -> dict[str, dict[Status, int]]:
        """Return how many rows each of these tasks, or every task, has in each status.

        What would be 0 is left out. Reads all rows.
        """
        ...

    async def delete_finished(self, finished_before: int, limit: int, *, id_before: str) -> int:
        """Delete trees whose root finished before that instant; return how many rows that were.

        At most `limit` rows, with their keys and tags: whole trees, as many as fit. A single tree
        with more rows goes in several calls, from below, its root last. 0 says that nothing is
        left to delete. Unfinished rows are never deleted; a finished root has none. A tree that is
        reopened at this moment stays whole.

        Only roots whose id is below `id_before` are looked at. Ids have the order of creation, so
        that this spares reading what is too young to have finished before that instant.
        """
        ...
