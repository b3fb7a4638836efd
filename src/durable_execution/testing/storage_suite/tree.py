"""Trees: children with their parent's move, counting off, and joinable parents."""

from __future__ import annotations

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.patch import counted_off, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import DuplicateSleepingIdError
from durable_execution.testing.storage_suite.harness import (
    CANCELLED,
    Harness,
    check,
    check_same,
    ids,
)

TASKS = frozenset({"task"})


async def check_children_are_claimable(harness: Harness) -> None:
    """Children that came with a move are rows like any other."""
    _, children = await harness.waiting(3)
    claimed = await harness.claim()
    check(sorted(ids(claimed.records)) == ids(children), "the children were not claimed")


async def check_children_with_a_taken_sleeping_id(harness: Harness) -> None:
    """One child with a taken sleeping id: an error that names it, and nothing of the batch."""
    parent, neighbour = await harness.running(2)
    now = await harness.storage.now()
    await harness.storage.insert([harness.records.sleeper(now, "taken")])
    children = (
        harness.records.child(parent, now),
        harness.records.child(parent, now, index=1, sleeping_unique_id="taken"),
    )
    moves = [
        law.complete(neighbour, output=b"1", now=now),
        law.spawn(parent, run_output=b"1", children=children, now=now),
    ]
    try:
        await harness.storage.apply(moves)
    except DuplicateSleepingIdError as error:
        check(error.sleeping_unique_id == "taken", f"names {error.sleeping_unique_id!r}")
    else:
        raise AssertionError("a taken sleeping id was accepted")
    await harness.expect(parent, neighbour)
    check(await harness.storage.get(ids(children)) == [None, None], "a refused child exists")


async def check_children_of_a_stale_move_conflict_with_nothing(harness: Harness) -> None:
    """Children are looked at only where the guard holds."""
    (parent,) = await harness.running()
    now = await harness.storage.now()
    await harness.storage.insert([harness.records.sleeper(now, "taken")])
    child = harness.records.child(parent, now, sleeping_unique_id="taken")
    stale = msgspec.structs.replace(parent, fence=parent.fence + 1)
    move = law.spawn(stale, run_output=b"1", children=(child,), now=now)
    check((await harness.storage.apply([move])).matched == (False,), "a stale move matched")
    await harness.expect(parent)


async def check_no_children_is_joinable_at_once(harness: Harness) -> None:
    """A parent that spawns nothing is joinable: told at once, and found by the sweep."""
    (parent,) = await harness.running()
    move = law.spawn(parent, run_output=b"1", children=(), now=await harness.storage.now())
    applied = await harness.apply_all(move)
    _expect_rows(applied.joinable, [patched(parent, move.patch)])
    _expect_rows(await harness.storage.joinable(TASKS, 10), [patched(parent, move.patch)])


async def check_count_off_until_joinable(harness: Harness) -> None:
    """Each finished child takes one off; the last one tells the parent's current row."""
    parent, _ = await harness.waiting(2)
    first, second = (await harness.claim()).records
    now = await harness.storage.now() + 11
    applied = await harness.apply_all(law.complete(first, output=b"1", now=now))
    check(applied.joinable == (), "joinable with a child left")
    parent = counted_off(parent, 1, now)
    await harness.expect(parent)
    check(
        await harness.storage.joinable(TASKS, 10) == [],
        "the sweep finds a parent with a child left",
    )
    applied = await harness.apply_all(
        law.fail(second, status="failed", error=CANCELLED, now=now + 5)
    )
    parent = counted_off(parent, 1, now + 5)
    _expect_rows(applied.joinable, [parent])
    _expect_rows(await harness.storage.joinable(TASKS, 10), [parent])
    await harness.expect(parent)


async def check_count_off_of_many_in_one_batch(harness: Harness) -> None:
    """Children of several parents in one batch: each parent loses exactly its own."""
    one, _ = await harness.waiting(3)
    rows = {row.execution_id: row for row in (await harness.claim()).records}
    two, _ = await harness.waiting(2)
    others = (await harness.claim()).records
    now = await harness.storage.now()
    moves = [law.complete(row, output=b"1", now=now) for row in [*rows.values(), others[0]]]
    moves[1] = law.complete(list(rows.values())[1], output=b"1", now=now + 9)
    applied = await harness.apply_all(*moves)
    _expect_rows(applied.joinable, [counted_off(one, 3, now + 9)])
    await harness.expect(counted_off(one, 3, now + 9), counted_off(two, 1, now), others[1])


async def check_count_off_needs_a_matched_guard(harness: Harness) -> None:
    """A child that finishes twice counts once."""
    parent, _ = await harness.waiting(2)
    first, _ = (await harness.claim()).records
    now = await harness.storage.now()
    move = law.complete(first, output=b"1", now=now)
    await harness.apply_all(move)
    applied = await harness.storage.apply([move])
    check(applied == msgspec.structs.replace(applied, matched=(False,), joinable=()), "twice")
    await harness.expect(counted_off(parent, 1, now))


async def check_count_off_only_while_the_parent_waits(harness: Harness) -> None:
    """A parent that has ended is not touched by a child that ends later."""
    parent, (child,) = await harness.waiting(1)
    now = await harness.storage.now()
    ended = law.cancel(parent, error=CANCELLED, now=now)
    await harness.apply_all(msgspec.structs.replace(ended, cancels_descendants=None))
    applied = await harness.apply_all(law.cancel(child, error=CANCELLED, now=now + 5))
    check(applied.joinable == (), "an ended parent is joinable")
    await harness.expect(patched(parent, ended.patch))


async def check_finalize_child_counts(harness: Harness) -> None:
    """A finalize child is counted like any other."""
    parent, (child,) = await harness.waiting(1)
    applied = await harness.cancel(child)
    (parent,) = applied.joinable
    now = await harness.storage.now()
    last = harness.records.child(parent, now, is_finalize=True, task_id="finalize")
    move = law.finalize(parent, child=last, now=now)
    applied = await harness.apply_all(move)
    check(applied.joinable == (), "joinable before the finalize child ended")
    parent = patched(parent, move.patch)
    await harness.expect(parent, last)
    (running,) = (await harness.claim("finalize")).records
    applied = await harness.complete(running)
    check(ids(applied.joinable) == [parent.execution_id], "the finalize child did not count")
    now = await harness.storage.now()
    join = law.join(applied.joinable[0], output=b"done", now=now)
    await harness.apply_all(join)
    await harness.expect(patched(applied.joinable[0], join.patch))
    check(await harness.storage.joinable(TASKS, 10) == [], "a joined parent is still joinable")


async def check_joiners_of_one_moment(harness: Harness) -> None:
    """Of two joiners that saw the same row, one acts."""
    _, (child,) = await harness.waiting(1)
    (parent,) = (await harness.cancel(child)).joinable
    now = await harness.storage.now()
    children = [harness.records.child(parent, now, index=1) for _ in range(2)]
    moves = [law.advance(parent, child=child, now=now) for child in children]
    matched = [(await harness.storage.apply([move])).matched for move in moves]
    check(matched == [(True,), (False,)], f"two joiners matched {matched}")
    await harness.expect(patched(parent, moves[0].patch), children[0])
    check(await harness.storage.get(ids(children[1:])) == [None], "the loser's child exists")


async def check_joinable_limit(harness: Harness) -> None:
    """The sweep returns joinable rows up to its limit, and no other row."""
    rows = await harness.running(3)
    now = await harness.storage.now()
    moves = [law.spawn(row, run_output=b"1", children=(), now=now) for row in rows]
    await harness.apply_all(*moves)
    await harness.waiting(1)
    everything = await harness.storage.joinable(TASKS, 10)
    check(sorted(ids(everything)) == ids(rows), "not exactly the joinable rows")
    some = await harness.storage.joinable(TASKS, 2)
    check(len(some) == 2 and set(ids(some)) <= set(ids(rows)), "the limit does not hold")
    check(await harness.storage.joinable(TASKS, 0) == [], "a limit of 0 returned rows")
    others = frozenset({"other", "Task", "tas"})
    check(await harness.storage.joinable(others, 10) == [], "a row of another task")
    check(await harness.storage.joinable(frozenset(), 10) == [], "no task gave a row")


def _expect_rows(
    actual: tuple[ExecutionRecord, ...] | list[ExecutionRecord], expected: list[ExecutionRecord]
) -> None:
    check(sorted(ids(actual)) == sorted(ids(expected)), f"rows {ids(actual)}")
    by_id = {row.execution_id: row for row in actual}
    for row in expected:
        check_same(by_id[row.execution_id], row)


CHECKS = (
    check_children_are_claimable,
    check_children_with_a_taken_sleeping_id,
    check_children_of_a_stale_move_conflict_with_nothing,
    check_no_children_is_joinable_at_once,
    check_count_off_until_joinable,
    check_count_off_of_many_in_one_batch,
    check_count_off_needs_a_matched_guard,
    check_count_off_only_while_the_parent_waits,
    check_finalize_child_counts,
    check_joiners_of_one_moment,
    check_joinable_limit,
)
