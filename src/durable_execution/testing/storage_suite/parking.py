"""Parked rows: an attempt that goes on outside, held by no executor, under a lease of its own."""

from __future__ import annotations

from durable_execution._core import decisions
from durable_execution._core import transitions as law
from durable_execution._core.patch import patched
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.protocol import Beat
from durable_execution.testing.records import TIMEOUT_MS
from durable_execution.testing.storage_suite.harness import (
    EXECUTOR,
    FAILED,
    LEASE_MS,
    Harness,
    check,
    check_same,
    ids,
)

_PARKED_MS = 10_000


async def check_park(harness: Harness) -> None:
    """A parked row loses its owner, gets an expiry, and keeps all else."""
    row, other = await harness.running(2)
    now = await harness.storage.now()
    move = law.park(row, lease_ms=_PARKED_MS, now=now)
    applied = await harness.apply_all(move)
    check(applied.joinable == (), "a parked row is joinable")
    after = patched(row, move.patch)
    check((after.executor_id, after.expires_at) == (None, now + _PARKED_MS), "the law changed")
    await harness.expect(after, other)


async def check_parked_rows_belong_to_nobody(harness: Harness) -> None:
    """No executor holds a parked row: none claims it, none loses it by dying."""
    (row,) = await _parked(harness)
    held = ((row.execution_id, row.fence),)
    beat = await harness.storage.heartbeat(Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS, held=held))
    check(beat.lost == (row.execution_id,), "its executor still holds it")
    check(await harness.storage.held_by(EXECUTOR, 10) == [], "it is held")
    await harness.register("other", lease_ms=10 * LEASE_MS)
    await harness.storage.sign_off(EXECUTOR)
    await harness.advance(LEASE_MS + 1)
    check(await harness.storage.orphans(10) == [], "it is an orphan")
    check((await harness.claim(executor_id="other")).records == (), "it was claimed")
    await harness.expect(row)


async def check_parked_rows_expire(harness: Harness) -> None:
    """Parked rows are found like sleepers once their lease is over, and may be tried again."""
    now = await harness.storage.now()
    (row,) = await _parked(harness)
    sleeper = harness.records.sleeper(now, "bell", timeout_ms=_PARKED_MS // 2)
    await harness.storage.insert([sleeper])
    early = await harness.storage.expired_sleepers(10)
    check(early.records == (), "expired too early")
    await harness.advance(_PARKED_MS // 2)
    between = await harness.storage.expired_sleepers(10)
    check(ids(between.records) == ids([sleeper]), "not the sleeper alone")
    check(between.next_expires_at == row.expires_at, "the parked row is not waited for")
    await harness.advance(_PARKED_MS)
    late = await harness.storage.expired_sleepers(10)
    check(ids(late.records) == ids([sleeper, row]), "not the expired, in order")
    check_same(late.records[1], row)


async def check_parked_rows_are_extended(harness: Harness) -> None:
    """An extension puts the expiry off; a late or repeated one never brings it forward."""
    (row,) = await _parked(harness)
    early = await harness.storage.now()
    await harness.advance(_PARKED_MS - 1_000)
    now = await harness.storage.now()
    move = law.extend(row, lease_ms=_PARKED_MS, now=now)
    await harness.apply_all(move)
    extended = patched(row, move.patch)
    check(extended.expires_at == now + _PARKED_MS, "the law changed")
    await harness.expect(extended)
    again = law.extend(row, lease_ms=_PARKED_MS, now=early)
    await harness.apply_all(again)
    check((await harness.read(row)).expires_at == extended.expires_at, "brought forward")
    longest = law.extend(row, lease_ms=10 * TIMEOUT_MS, now=now)
    await harness.apply_all(longest)
    check((await harness.read(row)).expires_at == row.attempt_ends_at, "beyond the attempt")


async def check_an_extension_crosses_an_expiry(harness: Harness) -> None:
    """What was decided on an expiry that has been put off since changes nothing."""
    row, neighbour = await _parked(harness, 2)
    now = await harness.storage.now()
    moves = [decisions.expire(each, now=now) for each in (row, neighbour)]
    await harness.apply_all(law.extend(row, lease_ms=_PARKED_MS + 1, now=now))
    extended = await harness.read(row)
    applied = await harness.storage.apply(moves)
    check(applied.matched == (False, True), f"matched {applied.matched}")
    await harness.expect(extended, patched(neighbour, moves[1].patch))


async def check_parked_rows_end(harness: Harness) -> None:
    """Whoever proves the fence ends the attempt, parked or not, and once."""
    rows = await harness.running(5)
    now = await harness.storage.now()
    await harness.apply_all(*[law.park(row, lease_ms=_PARKED_MS, now=now) for row in rows[1:]])
    unparked, *parked = [await harness.read(row) for row in rows]
    # As read before the row was parked, and after it.
    moves = [
        law.complete(unparked, output=b"1", now=now),
        law.complete(rows[1], output=b"2", now=now),
        law.complete(parked[1], output=b"3", now=now),
        law.fail(parked[2], status="failed", error=FAILED, now=now),
        law.cancel(parked[3], error=FAILED, now=now),
    ]
    await harness.apply_all(*moves)
    before = [unparked, *parked]
    ended = [patched(row, move.patch) for row, move in zip(before, moves, strict=True)]
    await harness.expect(*ended)
    late = [law.park(row, lease_ms=_PARKED_MS, now=now) for row in rows]
    check(not any((await harness.storage.apply(late)).matched), "an ended row was parked")
    again = [law.complete(row, output=b"late", now=now) for row in rows]
    check(not any((await harness.storage.apply(again)).matched), "ended twice")
    await harness.expect(*ended)
    check((await harness.storage.expired_sleepers(10)).next_expires_at is None, "waited for")


async def check_parked_rows_are_tried_again(harness: Harness) -> None:
    """A retry makes a parked row ready and its token stale; the next attempt may be parked."""
    (row,) = await _parked(harness)
    now = await harness.storage.now()
    move = law.retry(row, error=FAILED, start_at=now, now=now)
    await harness.apply_all(move)
    await harness.expect(patched(row, move.patch))
    (current,) = (await harness.claim()).records
    check(current.fence == row.fence + 1, "the fence did not rise")
    await harness.apply_all(law.park(current, lease_ms=_PARKED_MS, now=now))
    parked = await harness.read(current)
    stale = [
        law.complete(row, output=b"late", now=now),
        law.extend(row, lease_ms=_PARKED_MS, now=now),
        law.retry(row, error=FAILED, start_at=now, now=now),
    ]
    for each in stale:
        matched = (await harness.storage.apply([each])).matched
        check(matched == (False,), f"a stale {type(each.patch).__name__} was applied")
    await harness.expect(parked)


async def check_parked_children_end_with_their_parent(harness: Harness) -> None:
    """A cascade cancels parked children; one that ends is counted off its parent."""
    parent, _ = await harness.waiting(2)
    now = await harness.storage.now()
    first, second = sorted((await harness.claim()).records, key=lambda row: row.index_in_parent)
    await harness.apply_all(
        *[law.park(row, lease_ms=_PARKED_MS, now=now) for row in (first, second)]
    )
    await harness.complete(first)
    check((await harness.read(parent)).active_children_count == 1, "not counted off")
    await harness.cancel(await harness.read(parent))
    cancelled = await harness.read(second)
    check((cancelled.status, cancelled.is_parked) == ("cancelled", False), "still parked")
    check((await harness.storage.expired_sleepers(10)).next_expires_at is None, "waited for")


async def check_parked_rows_are_deleted_once_they_ended(harness: Harness) -> None:
    """Nothing of a parked row is left behind, and an unfinished one stays."""
    ended, kept = await _parked(harness, 2)
    await harness.complete(ended)
    await harness.advance(1)
    now = await harness.storage.now()
    deleted = await harness.storage.delete_finished(now, 10, id_before="~")
    check(deleted == 1, f"{deleted} rows were deleted")
    unique_id = ended.sleeping_unique_id or ""
    check(await harness.storage.get_by_sleeping_unique_id(unique_id) is None, "its id is left")
    await harness.expect(kept)


async def _parked(harness: Harness, number: int = 1) -> list[ExecutionRecord]:
    rows = await harness.running(number)
    now = await harness.storage.now()
    await harness.apply_all(*[law.park(row, lease_ms=_PARKED_MS, now=now) for row in rows])
    return [await harness.read(row) for row in rows]


CHECKS = (
    check_park,
    check_parked_rows_belong_to_nobody,
    check_parked_rows_expire,
    check_parked_rows_are_extended,
    check_an_extension_crosses_an_expiry,
    check_parked_rows_end,
    check_parked_rows_are_tried_again,
    check_parked_children_end_with_their_parent,
    check_parked_rows_are_deleted_once_they_ended,
)
