"""The past of rows: what each write adds that opens a row again, how much is kept, and who adds."""

from __future__ import annotations

from collections.abc import Sequence

from durable_execution._core import transitions as law
from durable_execution._core.past import KEPT_ATTEMPTS, NO_PAST, Attempt, Past, may_have_past
from durable_execution._core.patch import Requeue, Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StoredError
from durable_execution.testing.storage_suite.harness import FAILED, Harness, check, ids

_ODD = StoredError(
    message="ü 雪 😀 '\"\\\\%_ %s ]},\n[{ \x01 \0 " + "x" * 900,
    error_type="timed_out",
    is_retryable=True,
    traceback="Traceback:\n  …\n",
    cause="none\t",
)


async def check_each_requeue_adds_the_attempt_that_ended(harness: Harness) -> None:
    """A retry, a rescue and a hand-back, in their order; nothing that runs is past."""
    (row,) = await harness.running()
    await _expect(harness, row)
    moves: list[Transition] = []
    for number in range(4):
        now = await harness.storage.now()
        move = (
            law.retry(row, error=_ODD, start_at=now, now=now),
            law.rescue(row, now=now),
            law.hand_back(row, now=now),
            law.retry(row, error=FAILED, start_at=now, now=now),
        )[number]
        await harness.apply_all(move)
        moves.append(move)
        await _expect(harness, row, *map(_ended, moves))
        (row,) = (await harness.claim()).records
        check(may_have_past(row), "what has a past is thought to have none")
    await harness.complete(row)
    await _expect(harness, row, *map(_ended, moves))
    outcomes = [_ended(move).outcome for move in moves]
    check(outcomes == ["timed_out", "crashed", "handed_back", "failed"], f"the law: {outcomes}")
    check([_ended(move).attempt for move in moves] == [0, 1, 1, 1], "the law changed")


async def check_the_last_attempts_are_kept_and_the_others_counted(harness: Harness) -> None:
    """Whatever their errors say, one goes as one comes."""
    (row,) = await harness.running()
    past = NO_PAST
    for _ in range(KEPT_ATTEMPTS + 3):
        now = await harness.storage.now()
        move = law.retry(row, error=_ODD, start_at=now, now=now)
        await harness.apply_all(move)
        past = past.followed_by(_ended(move))
        check(await _past(harness, row) == past, f"the past is wrong after {past.count}")
        (row,) = (await harness.claim()).records
    check((past.count, len(past.attempts)) == (KEPT_ATTEMPTS + 3, KEPT_ATTEMPTS), "the law changed")


async def check_a_batch_adds_to_each_past_its_own(harness: Harness) -> None:
    """Rows of longer and shorter pasts, and one whose guard does not hold."""
    old, young, lost = await harness.running(3)
    now = await harness.storage.now()
    first = [law.rescue(row, now=now) for row in (old, lost)]
    await harness.apply_all(*first)
    again = {row.execution_id: row for row in (await harness.claim()).records}
    moves = [
        law.retry(again[old.execution_id], error=_ODD, start_at=now, now=now),
        law.retry(young, error=FAILED, start_at=now, now=now),
        law.retry(lost, error=FAILED, start_at=now, now=now),
    ]
    applied = await harness.storage.apply(moves)
    check(applied.matched == (True, True, False), f"matched {applied.matched}")
    await _expect(harness, old, _ended(first[0]), _ended(moves[0]))
    await _expect(harness, young, _ended(moves[1]))
    await _expect(harness, lost, _ended(first[1]))
    asked = [*ids([young, old]), "nobody", "nobody\ud800", young.execution_id]
    found = await harness.storage.past_of(asked)
    check([past.count for past in found] == [1, 2, 0, 0, 1], f"the answer is {found}")
    check(await harness.storage.past_of([]) == [], "nothing is nothing")


async def check_what_runs_well_has_no_past(harness: Harness) -> None:
    """Nor has what failed for good, waits, or was cancelled: its row tells of its only attempt."""
    done, failed, cancelled = await harness.running(3)
    await harness.complete(done)
    now = await harness.storage.now()
    await harness.apply_all(law.fail(failed, status="failed", error=FAILED, now=now))
    await harness.cancel(cancelled)
    parent, children = await harness.waiting(2)
    for row in (done, failed, cancelled, parent, *children):
        await _expect(harness, row)
        check(not may_have_past(await harness.read(row)), "it is thought to have a past")


async def check_reopening_adds_the_last_attempt(harness: Harness) -> None:
    """Of a row that runs again, if one began; a parent that waits again did not run again."""
    parent, children = await harness.waiting(2)
    ran = (await harness.claim(limit=1)).records[0]
    (never,) = [child for child in children if child.execution_id != ran.execution_id]
    now = await harness.storage.now()
    await harness.apply_all(law.retry(ran, error=_ODD, start_at=now, now=now))
    (ran,) = [
        row for row in (await harness.claim()).records if row.execution_id == ran.execution_id
    ]
    before = await _past(harness, ran)
    await harness.apply_all(law.fail(ran, status="failed", error=FAILED, now=now))
    held = await harness.read(never)
    await harness.apply_all(law.hand_back(held, now=now))
    await harness.cancel(await harness.read(parent))
    never_past = await _past(harness, never)
    await harness.storage.reopen(parent.execution_id, now)
    last = Attempt(
        attempt=1,
        outcome="failed",
        started_at=ran.started_at or 0,
        ended_at=now,
        executor_id=ran.executor_id,
        error=FAILED,
    )
    await _expect(harness, ran, *before.attempts, last)
    check(await _past(harness, never) == never_past, "what was cancelled while ready had begun")
    await _expect(harness, parent)
    check(may_have_past(await harness.read(ran)), "what has a past is thought to have none")
    check(may_have_past(await harness.read(never)), "what has a past is thought to have none")


async def check_a_past_goes_with_its_row(harness: Harness) -> None:
    """What is deleted leaves none to a row that comes to have its id."""
    (row,) = await harness.running()
    now = await harness.storage.now()
    await harness.apply_all(law.rescue(row, now=now))
    await harness.complete(*(await harness.claim()).records)
    check((await _past(harness, row)).count == 1, "the scene was not set")
    await harness.advance(1)
    now = await harness.storage.now()
    check(await harness.storage.delete_finished(now, 10, id_before="~") == 1, "not one deleted")
    await _expect(harness, row)
    await harness.storage.insert([harness.records.again(row)])
    await _expect(harness, row)


def _ended(move: Transition) -> Attempt:
    if not isinstance(move.patch, Requeue):
        raise AssertionError(f"{move} opens no row")
    return move.patch.ended


async def _past(harness: Harness, row: ExecutionRecord) -> Past:
    (past,) = await harness.storage.past_of([row.execution_id])
    return past


async def _expect(harness: Harness, row: ExecutionRecord, *attempts: Attempt) -> None:
    past = await _past(harness, row)
    check(past == Past(attempts, len(attempts)), f"the past is {_said(past.attempts)}")


def _said(attempts: Sequence[Attempt]) -> str:
    return ", ".join(f"{each.attempt} {each.outcome}" for each in attempts) or "none"


CHECKS = (
    check_each_requeue_adds_the_attempt_that_ended,
    check_the_last_attempts_are_kept_and_the_others_counted,
    check_a_batch_adds_to_each_past_its_own,
    check_what_runs_well_has_no_past,
    check_reopening_adds_the_last_attempt,
    check_a_past_goes_with_its_row,
)
