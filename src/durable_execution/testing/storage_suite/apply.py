"""Applying: guards, the three patches, and batches in which some guards do not hold."""

from __future__ import annotations

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.patch import Guard, Transition, patched
from durable_execution.errors import StoredError
from durable_execution.testing.storage_suite.harness import (
    CANCELLED,
    EXECUTOR,
    FAILED,
    Harness,
    check,
)


async def check_finish_with_output(harness: Harness) -> None:
    """A completed row is patched on every field of the patch, and on no other."""
    row, other = await harness.running(2)
    now = await harness.storage.now() + 7
    move = law.complete(row, output=b"\0out\xff", now=now)
    applied = await harness.apply_all(move)
    check(applied.joinable == (), "a finished root made something joinable")
    await harness.expect(patched(row, move.patch), other)


async def check_finish_with_error(harness: Harness) -> None:
    """Every errored status is stored with its error, exactly."""
    rows = await harness.running(4)
    now = await harness.storage.now()
    error = StoredError(
        error_type="timed_out", message='ü 雪 😀 "\\\n\x01 \0', is_retryable=True, is_internal=True
    )
    moves = [
        law.fail(rows[0], status="failed", error=error, now=now),
        law.fail(rows[1], status="timed_out", error=error, now=now),
        law.fail(rows[2], status="cancelled", error=error, now=now),
        law.cancel(rows[3], error=error, now=now),
    ]
    await harness.apply_all(*moves)
    await harness.expect(*[patched(row, move.patch) for row, move in zip(rows, moves, strict=True)])


async def check_finish_clears_the_count(harness: Harness) -> None:
    """A parent that ends while children run keeps no count of them."""
    parent, _ = await harness.waiting(3)
    check(parent.active_children_count == 3, "the scene has no waiting parent")
    await harness.cancel(parent)
    ended = await harness.read(parent)
    check((ended.status, ended.active_children_count) == ("cancelled", 0), "count not cleared")
    check(ended.children_count == 3, "the number of children was forgotten")


async def check_requeue(harness: Harness) -> None:
    """A retry, a hand-back and a rescue clear owner and deadlines and keep the fence."""
    rows = await harness.running(3)
    now = await harness.storage.now()
    moves = [
        law.retry(rows[0], error=FAILED, start_at=now + 50, now=now),
        law.hand_back(rows[1], now=now),
        law.rescue(rows[2], now=now),
    ]
    await harness.apply_all(*moves)
    expected = [patched(row, move.patch) for row, move in zip(rows, moves, strict=True)]
    await harness.expect(*expected)
    check([row.attempt for row in expected] == [1, 0, 0], "the law changed")
    check([row.crash_count for row in expected] == [0, 0, 1], "the law changed")


async def check_wait(harness: Harness) -> None:
    """A parent that spawned waits: fence raised, count set, output and error as the patch says."""
    (row,) = await harness.running()
    now = await harness.storage.now()
    await harness.apply_all(law.retry(row, error=FAILED, start_at=now, now=now))
    (row,) = (await harness.claim()).records
    check(row.error == FAILED, "the scene has no error to clear")
    children = harness.records.children(row, now, 2)
    move = law.spawn(row, run_output=b"\0\xff", children=children, now=now)
    await harness.apply_all(move)
    await harness.expect(patched(row, move.patch), *children)


async def check_guard_stale_fence(harness: Harness) -> None:
    """A worker that lost its row cannot finish, requeue or spawn it, however late it comes."""
    (stale,) = await harness.running()
    now = await harness.storage.now()
    await harness.apply_all(law.rescue(stale, now=now))
    (current,) = (await harness.claim()).records
    child = harness.records.child(stale, now)
    late = [
        law.complete(stale, output=b"late", now=now),
        law.fail(stale, status="failed", error=FAILED, now=now),
        law.cancel(stale, error=CANCELLED, now=now),
        law.retry(stale, error=FAILED, start_at=now, now=now),
        law.hand_back(stale, now=now),
        law.spawn(stale, run_output=b"late", children=(child,), now=now),
    ]
    for move in late:
        applied = await harness.storage.apply([move])
        check(applied.matched == (False,), f"a stale {type(move.patch).__name__} was applied")
        check(applied.joinable == (), "a stale move made something joinable")
    await harness.expect(current)
    check(await harness.storage.get([child.execution_id]) == [None], "a stale child exists")


async def check_guard_status(harness: Harness) -> None:
    """Id and fence are not enough: the status must be the expected one."""
    (row,) = await harness.running()
    now = await harness.storage.now()
    await harness.complete(row, output=b"first")
    done = await harness.read(row)
    again = law.fail(row, status="failed", error=FAILED, now=now)
    check((await harness.storage.apply([again])).matched == (False,), "a finished row changed")
    await harness.expect(done)


async def check_guard_unknown_row(harness: Harness) -> None:
    """A row that does not exist matches nothing and is not created."""
    (row,) = await harness.running()
    ghost = msgspec.structs.replace(row, execution_id="ghost", parent_execution_id="nobody")
    move = law.complete(ghost, output=b"1", now=await harness.storage.now())
    applied = await harness.storage.apply([move])
    check(applied.matched == (False,), "a row that does not exist matched")
    check(await harness.storage.get(["ghost"]) == [None], "a patch created a row")


async def check_guard_joinable(harness: Harness) -> None:
    """A joiner's move needs the count to be zero still."""
    parent, children = await harness.waiting(1)
    now = await harness.storage.now()
    early = Transition(
        guard=Guard(parent.execution_id, parent.status, parent.fence, must_be_joinable=True),
        patch=law.cancel(parent, error=CANCELLED, now=now).patch,
    )
    check((await harness.storage.apply([early])).matched == (False,), "joined too early")
    await harness.expect(parent, *children)
    await harness.cancel(children[0])
    check((await harness.storage.apply([early])).matched == (True,), "not joined at zero")


async def check_batch_with_one_stale_neighbour(harness: Harness) -> None:
    """One guard that does not hold leaves its row alone and all neighbours applied."""
    rows = await harness.running(5)
    now = await harness.storage.now()
    await harness.complete(rows[2], output=b"before")
    before = await harness.read(rows[2])
    moves = [law.complete(row, output=b"batch", now=now) for row in rows]
    applied = await harness.storage.apply(moves)
    check(applied.matched == (True, True, False, True, True), f"matched {applied.matched}")
    expected = [patched(row, move.patch) for row, move in zip(rows, moves, strict=True)]
    await harness.expect(*expected[:2], before, *expected[3:])


async def check_batch_of_completions_with_stale_ones(harness: Harness) -> None:
    """A large batch that only completes rows tells for each whether it did, and writes no other."""
    rows = await harness.running(150)
    stale = {0, 7, 8, 63, 64, 100, 149}
    now = await harness.storage.now()
    moves = [law.complete(row, output=b"%d" % place, now=now) for place, row in enumerate(rows)]
    first = await harness.storage.apply([moves[place] for place in sorted(stale)])
    check(first.matched == (True,) * len(stale), f"matched {first.matched}")
    again = [law.complete(row, output=b"late", now=now) for row in rows]
    applied = await harness.storage.apply(again)
    check(applied.joinable == (), "finished roots made something joinable")
    check(
        applied.matched == tuple(place not in stale for place in range(len(rows))),
        f"matched {applied.matched}",
    )
    for place, row in enumerate(rows):
        move = moves[place] if place in stale else again[place]
        await harness.expect(patched(row, move.patch))


async def check_batch_of_completions_counts_off(harness: Harness) -> None:
    """One child among roots that complete together is counted off its parent."""
    roots = await harness.running(2)
    parent, _ = await harness.waiting(2)
    child, _ = (await harness.claim()).records
    now = await harness.storage.now()
    moves = [law.complete(row, output=b"", now=now) for row in (roots[0], child, roots[1])]
    await harness.apply_all(*moves)
    check((await harness.read(parent)).active_children_count == 1, "a child was not counted off")


async def check_batch_of_all_shapes(harness: Harness) -> None:
    """A batch may mix the patches in any order; the answer keeps the order."""
    rows = await harness.running(6)
    now = await harness.storage.now()
    stale = msgspec.structs.replace(rows[5], fence=rows[5].fence + 1)
    children = harness.records.children(rows[2], now, 1)
    moves = [
        law.retry(rows[0], error=FAILED, start_at=now, now=now),
        law.complete(rows[1], output=b"1", now=now),
        law.spawn(rows[2], run_output=b"2", children=children, now=now),
        law.fail(rows[3], status="failed", error=FAILED, now=now),
        law.hand_back(stale, now=now),
        law.rescue(rows[4], now=now),
    ]
    applied = await harness.storage.apply(moves)
    check(applied.matched == (True, True, True, True, False, True), f"matched {applied.matched}")
    for row, move in zip([*rows[:4], rows[4]], [*moves[:4], moves[5]], strict=True):
        await harness.expect(patched(row, move.patch))
    await harness.expect(rows[5], *children)


async def check_batch_of_nothing(harness: Harness) -> None:
    """An empty batch is an empty answer."""
    applied = await harness.storage.apply([])
    check(applied.matched == () and applied.joinable == (), "an empty batch did something")


async def check_batch_of_a_thousand(harness: Harness) -> None:
    """A thousand rows finish in one batch."""
    rows = await harness.running(1000)
    await harness.complete(*rows)
    found = await harness.storage.get([row.execution_id for row in rows])
    check(all(row and row.status == "completed" for row in found), "some rows did not finish")


async def check_finish_keeps_the_owner(harness: Harness) -> None:
    """A finished row still says who ran it."""
    (row,) = await harness.running()
    await harness.complete(row)
    check((await harness.read(row)).executor_id == EXECUTOR, "the owner was forgotten")


CHECKS = (
    check_finish_with_output,
    check_finish_with_error,
    check_finish_clears_the_count,
    check_finish_keeps_the_owner,
    check_requeue,
    check_wait,
    check_guard_stale_fence,
    check_guard_status,
    check_guard_unknown_row,
    check_guard_joinable,
    check_batch_with_one_stale_neighbour,
    check_batch_of_completions_with_stale_ones,
    check_batch_of_completions_counts_off,
    check_batch_of_all_shapes,
    check_batch_of_nothing,
    check_batch_of_a_thousand,
)
