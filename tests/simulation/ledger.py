"""Keeps the books of a run and judges every entry: the promises, as checks.

After each write to the database the changed rows and their families must be lawful, and whoever
changed a running row must have been entitled to. What tasks really did is booked against what the
rows say they did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from durable_execution._codec import dumps
from durable_execution._core.patch import Finish, Requeue, Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED, WAITING, Status
from durable_execution.errors import DuplicateSleepingIdError
from tests._core.invariants import CRASH_BUDGET, check_past, check_writes
from tests.simulation.database import Database
from tests.simulation.outside import is_outside, output_of
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.virtual_time import VirtualLoop


WAKING: Final = 0.05
"""Seconds after a stall within which a process learns that it lost its lease."""


@dataclass(eq=False)
class Run:
    """One run of a task's function."""

    token: int
    execution_id: str
    attempt: int
    fence: int
    process: Process
    executor_id: str
    is_stubborn: bool
    """Whether it is a thread, or swallows its cancellation: then nobody can stop it in time."""


@dataclass(eq=False)
class Ledger:
    """What was promised, what ran and what is stored."""

    database: Database
    trace: Trace
    with_tokens: frozenset[str]
    """Tasks of which every completed execution says which run completed it."""
    processes: list[Process] = field(default_factory=list)
    promised: dict[str, str] = field(default_factory=dict)
    """Task ids by execution id of every enqueue that returned."""
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    """Execution ids by task and key, of what is not deleted."""
    runs: list[Run] = field(default_factory=list)
    open_runs: dict[str, list[Run]] = field(default_factory=dict)
    reopened: set[str] = field(default_factory=set)
    """What was retried at some time."""
    begun: Counter[str] = field(default_factory=Counter)
    """How often each row became running."""
    errors: list[str] = field(default_factory=list)

    def execute(
        self, process: Process, verb: str, *args: Any, **kwargs: Any
    ) -> tuple[Any, Exception | None]:
        """Run a verb for a process and check what it did; give its result or its refusal."""
        assert not self.errors, self.errors
        if verb == "sign_off":
            assert not process.main.threads, f"{process.name} signs off with threads at work"
        database = self.database
        before: list[ExecutionRecord | None] = []
        deleted_before = len(database.deleted)
        if verb == "apply":
            before = [database.shelf.get(each.guard.execution_id) for each in args[0]]
        try:
            result, failure = database.execute(verb, *args, **kwargs), None
        except DuplicateSleepingIdError as error:
            return None, error
        if verb == "apply":
            self._check_applied(process, before, args[0], result.matched)
        elif verb == "claim":
            _check_claimed(process, result.records)
        elif verb == "reopen":
            self._note_reopened(result.rows)
        elif verb == "delete_finished":
            self._check_deleted(deleted_before, finished_before=args[0])
        if database.writes:
            self._check_writes()
            self._spread_news(process)
        return result, failure

    def promise(
        self,
        execution_id: str,
        task_id: str,
        *,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """An enqueue returned: from now on the row must be there, until it is deleted."""
        row = self.database.find(execution_id)
        assert row is not None, f"{execution_id} was lost"
        assert row.idempotency_key == key, f"not by the key {key}: {row}"
        if key is None:  # else the row may be of another enqueue
            assert row.tags == tuple(sorted((tags or {}).items())), row
        self.promised[execution_id] = task_id

    def begin(self, process: Process, execution_id: str, attempt: int, *, stubborn: bool) -> Run:
        """A task's function begins to run."""
        held = process.engine.running._by_id.get(execution_id)
        assert held is not None, f"{execution_id} runs without a place"
        run = Run(
            token=len(self.runs),
            execution_id=execution_id,
            attempt=attempt,
            fence=held.record.fence,
            process=process,
            executor_id=process.engine.executor_id,
            # What was about to begin when the process stood still begins when it goes on, before
            # anything can tell it that its lease is over.
            is_stubborn=stubborn or process.world.now - process.stalled_until < WAKING,
        )
        # Not raised: the task's attempt would fail with it, and nobody would know.
        self.errors += [
            f"{execution_id} runs on {other.process.name} (fence {other.fence}) "
            f"and on {process.name} (fence {run.fence}) at once"
            for other in self.open_runs.get(execution_id, ())
            if not other.is_stubborn
        ]
        self.runs.append(run)
        self.open_runs.setdefault(execution_id, []).append(run)
        process.note("runs", execution_id[-6:], f"#{run.fence}", f"attempt {attempt}")
        return run

    def end(self, run: Run) -> None:
        """A task's function has ended."""
        runs = self.open_runs.get(run.execution_id, [])
        if run in runs:
            runs.remove(run)

    def is_told(self, status: Status, row: ExecutionRecord) -> bool:
        """Whether the finish that somebody was told of is the row's, or was before a retry."""
        if status in ERRORED and row.execution_id in self.reopened:
            return True
        return row.is_finished and status == row.status

    def note_death(self, process: Process) -> None:
        """Whatever ran there runs no more."""
        for runs in self.open_runs.values():
            runs[:] = [run for run in runs if run.process is not process]

    def note_stall(self, process: Process) -> None:
        """What runs there cannot be stopped in time."""
        for runs in self.open_runs.values():
            for run in runs:
                run.is_stubborn = run.is_stubborn or run.process is process

    def collect_errors(self, process: Process, loop: VirtualLoop) -> None:
        """Take what a loop's exception handler was told: nothing should get there."""
        for context in loop.errors:
            error = context.get("exception")
            self.errors.append(f"{process.name}: {context.get('message')}: {error!r}")
        loop.errors.clear()

    def check_end(self) -> None:
        """Check what must be true once everything has finished."""
        for execution_id, task_id in self.promised.items():
            row = self.database.find(execution_id)
            assert row is not None, f"{execution_id} was lost"
            assert row.task_id == task_id, row
        cut = {row.root_execution_id or row.execution_id for row in self.database.deleted.values()}
        for row in self.database.rows():
            assert row.is_finished, row
            if (row.root_execution_id or row.execution_id) not in cut:
                self._check_family(row)

    def _note_reopened(self, rows: Sequence[ExecutionRecord]) -> None:
        """What was cancelled while it ran may run on until the next beat of its executor."""
        for row in rows:
            self.reopened.add(row.execution_id)
            for run in self.open_runs.get(row.execution_id, ()):
                run.is_stubborn = True

    def _spread_news(self, writer: Process) -> None:
        for process in self.processes:
            if process is not writer and process.is_alive:
                process.adversary.spread_news(process)

    def _check_applied(
        self,
        process: Process,
        before: Sequence[ExecutionRecord | None],
        transitions: Sequence[Transition],
        matched: Sequence[bool],
    ) -> None:
        for row, transition, was_matched in zip(before, transitions, matched, strict=True):
            if was_matched and row is not None:
                self._check_entitled(process, row, transition)

    def _check_entitled(
        self, process: Process, row: ExecutionRecord, transition: Transition
    ) -> None:
        """Whoever changes a running row holds it, cancels it, or takes it from the dead."""
        if row.status != "running" or row.is_sleeping or transition.cancels_descendants:
            return
        if _is_rescue(row, transition):
            owner = next(each for each in self.processes if each.executor_id == row.executor_id)
            assert owner.was_disturbed or owner.has_crashed or owner.left_threads, (
                f"{row.execution_id} was taken from {owner.name}, which was well and handed back"
            )
            return
        patch = transition.patch
        if row.is_parked and _is_silence(transition):
            assert row.expires_at is not None, row
            assert row.expires_at <= self.database.now(), f"expired and extended: {row}"
        if is_outside(row) and (row.is_parked or _may_come_from_outside(row, transition)):
            return
        assert process.engine.executor_id == row.executor_id, (
            f"{process.name} wrote what {row.executor_id} runs: {row} {patch}"
        )
        if isinstance(patch, Requeue) and process.is_running and not _had_no_thread(process, row):
            assert patch.attempt == row.attempt + 1, f"a retry was not counted: {row} {patch}"

    def _check_deleted(self, deleted_before: int, *, finished_before: int) -> None:
        """What was deleted had finished, long enough ago, and nothing below it is left."""
        for row in list(self.database.deleted.values())[deleted_before:]:
            assert row.is_finished, f"deleted and not finished: {row}"
            root = self.database.find(row.root_execution_id or row.execution_id)
            assert root is not None
            assert root.finished_at is not None, f"deleted below what runs: {row}"
            assert root.finished_at < finished_before, f"deleted too early: {row} {root}"
            left = self.database.shelf.children(row.execution_id)
            assert not left, f"left below what was deleted: {left}"
            if row.idempotency_key is not None:
                del self.keys[row.task_id, row.idempotency_key]

    def _check_key(self, row: ExecutionRecord) -> None:
        """A key has one execution for as long as that is there."""
        if row.idempotency_key is not None:
            holder = self.keys.setdefault((row.task_id, row.idempotency_key), row.execution_id)
            assert holder == row.execution_id, f"{holder} has the key of {row}"

    def _check_writes(self) -> None:
        touched = {
            after.execution_id: after.parent_execution_id for _, after in self.database.writes
        }
        for before, after in self.database.writes:
            if after.status == "running" and (before is None or before.status != "running"):
                self.begun[after.execution_id] += 1
        check_writes(self.database)  # type: ignore[arg-type] # all it looks at is `writes`
        for execution_id, parent_id in touched.items():
            row = self.database.shelf.get(execution_id)
            assert row is not None
            self._check_key(row)
            check_past(row, self.database.past_of(row), begun=self.begun[execution_id])
            self._check_family(row)
            if parent_id is not None and parent_id not in touched:
                parent = self.database.shelf.get(parent_id)
                assert parent is not None, f"no parent: {row}"
                self._check_family(parent)

    def _check_family(self, row: ExecutionRecord) -> None:
        _check_alone(row)
        self._check_origin(row)
        children = self.database.shelf.children(row.execution_id)
        unfinished = sum(not child.is_finished for child in children)
        if row.status in WAITING:
            assert row.active_children_count == unfinished, (row, children)
        else:
            assert row.active_children_count == 0, row
            assert unfinished == 0, f"unfinished below: {row} {children}"
        ordinary = sorted(child.index_in_parent for child in children if not child.is_finalize)
        assert ordinary == list(range(row.children_count)), (row, children)
        finalizes = [child for child in children if child.is_finalize]
        finalizes.sort(key=lambda child: child.index_in_parent)
        assert all(child.status in ERRORED for child in finalizes[:-1]), (row, children)

    def _check_origin(self, row: ExecutionRecord) -> None:
        """A completed run's output is what the holder of its fence returned."""
        if row.status != "completed" or row.output is None or row.is_sleeping:
            return
        if is_outside(row):
            assert row.output == dumps(output_of(row.fence)), f"of an attempt that is over: {row}"
        if row.task_id not in self.with_tokens:
            return
        token = token_of(row.output)
        assert token is not None, f"completed without a run: {row}"
        run = self.runs[token]
        found = (run.execution_id, run.fence, run.executor_id, run.attempt)
        assert found == (row.execution_id, row.fence, row.executor_id, row.attempt), (run, row)


def _check_claimed(process: Process, records: Sequence[ExecutionRecord]) -> None:
    unknown = [row for row in records if row.task_id not in process.tasks]
    assert not unknown, f"{process.name} claimed unknown tasks: {unknown}"


def token_of(payload: bytes) -> int | None:
    """Return the token that a run put into its output."""
    _, _, tail = payload.partition(b'"token":')
    if not tail:
        return None
    digits = tail[: next((i for i, c in enumerate(tail) if not 48 <= c <= 57), len(tail))]
    return int(digits) if digits else None


def _is_silence(transition: Transition) -> bool:
    """Whether an attempt ends because its app was not heard of in time."""
    patch = transition.patch
    error = patch.error if isinstance(patch, Finish | Requeue) else None
    if error is None:
        return False
    return error.error_type == "timed_out" or error.message.startswith("Lease of the callback")


def _may_come_from_outside(row: ExecutionRecord, transition: Transition) -> bool:
    """Whether an app may end an attempt so, through anybody, before its executor lets go of it."""
    patch = transition.patch
    if isinstance(patch, Finish):
        return patch.status in ("completed", "failed")
    return isinstance(patch, Requeue) and patch.attempt == row.attempt + 1


def _is_rescue(row: ExecutionRecord, transition: Transition) -> bool:
    patch = transition.patch
    if isinstance(patch, Requeue):
        return patch.crash_count > row.crash_count
    return (
        isinstance(patch, Finish)
        and patch.error is not None
        and patch.error.message.startswith("Executor crashed or lost its lease")
    )


def _check_alone(row: ExecutionRecord) -> None:
    assert (row.finished_at is not None) == row.is_finished, row
    assert (row.output is not None) == (row.status == "completed"), row
    if row.is_finished:
        assert (row.error is not None) == (row.status in ERRORED), row
    assert row.attempt <= row.retry.max_retries, row
    assert row.crash_count <= CRASH_BUDGET, row
    if row.status == "running":
        assert (row.executor_id is None) == (row.sleeping_unique_id is not None), row
        if row.is_parked:
            assert is_outside(row), row
            assert row.expires_at is not None, row
            assert row.attempt_ends_at is not None, row
            assert row.expires_at <= row.attempt_ends_at, row
    if row.status == "ready":
        assert row.executor_id is None, row


def _had_no_thread(process: Process, row: ExecutionRecord) -> bool:
    """Whether a row is claimed there for a thread that has not begun with it."""
    attempt = process.engine.running._by_id.get(row.execution_id)
    return (
        attempt is not None
        and attempt.call is not None
        and attempt.record.fence == row.fence
        and attempt.call._began_at is None
    )
