"""Cascades: cancelling a row cancels all that is unfinished below it, and nothing else."""

from __future__ import annotations

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.patch import counted_off, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution.testing.storage_suite.harness import (
    CANCELLED,
    Harness,
    check,
    check_same,
    ids,
)


async def check_cascade_over_levels(harness: Harness) -> None:
    """Cancelling a root cancels all unfinished rows below it, and nothing else, on every field."""
    root, _ = await harness.waiting(4)
    first, done, failed, ready = sorted((await harness.claim()).records, key=_index)
    now = await harness.storage.now()
    await harness.apply_all(law.hand_back(ready, now=now))
    await harness.complete(done)
    await harness.apply_all(law.fail(failed, status="failed", error=CANCELLED, now=now))
    sleeper = harness.records.child(first, now, index=0, sleeping_unique_id="deep")
    below = harness.records.child(first, now, index=1)
    move = law.spawn(first, run_output=b"1", children=(sleeper, below), now=now)
    await harness.apply_all(move)
    unrelated, unrelated_children = await _other_tree(harness)
    ended = [await harness.read(row) for row in (done, failed)]
    open_rows = [await harness.read(row) for row in (first, ready, sleeper, below)]
    root = await harness.read(root)
    cancel = law.cancel(root, error=CANCELLED, now=now + 3)
    applied = await harness.apply_all(cancel)
    check(applied.joinable == (), "a cancelled row is joinable")
    await harness.expect(patched(root, cancel.patch), *ended)
    await harness.expect(
        *[law.cancelled_with_ancestor(row, error=CANCELLED, now=now + 3) for row in open_rows]
    )
    await harness.expect(unrelated, *unrelated_children)
    check((await harness.storage.expired_sleepers(10)).records == (), "a cancelled sleeper expires")


async def check_cascade_is_deep(harness: Harness) -> None:
    """A cascade has no bound of depth."""
    depth = 60
    chain = await harness.running()
    for _ in range(depth):
        await harness.spawn(chain[-1], 1)
        chain += (await harness.claim()).records
    await harness.cancel(await harness.read(chain[0]))
    found = await harness.storage.get(ids(chain))
    check(len(found) == depth + 1, "the scene is not deep")
    check(all(row and row.status == "cancelled" for row in found), "a descendant lives on")


async def check_cascade_needs_a_matched_guard(harness: Harness) -> None:
    """A cancellation that came too late cancels nothing below."""
    parent, children = await harness.waiting(2)
    stale = msgspec.structs.replace(parent, status="running", fence=parent.fence - 1)
    move = law.cancel(stale, error=CANCELLED, now=await harness.storage.now())
    check((await harness.storage.apply([move])).matched == (False,), "a stale cancel matched")
    await harness.expect(parent, *children)


async def check_cascade_counts_off_the_grandparent(harness: Harness) -> None:
    """Cancelling in the middle of a tree takes one off above, whatever is below."""
    root, _ = await harness.waiting(1)
    (middle,) = (await harness.claim()).records
    middle, leaves = await harness.spawn(middle, 3)
    now = await harness.storage.now()
    applied = await harness.apply_all(law.cancel(middle, error=CANCELLED, now=now))
    check(len(applied.joinable) == 1, "the grandparent is not joinable")
    check_same(applied.joinable[0], counted_off(root, 1, now))
    for leaf in leaves:
        check((await harness.read(leaf)).status == "cancelled", "a leaf lives on")


async def check_guards_see_the_rows_before_the_batch(harness: Harness) -> None:
    """A child that ends in the batch that cancels its parent ends its own way, in either order."""
    for is_parent_first in (True, False):
        parent, _ = await harness.waiting(2)
        child, other = (await harness.claim()).records
        now = await harness.storage.now()
        cancel = law.cancel(parent, error=CANCELLED, now=now)
        moves = [cancel, law.complete(child, output=b"1", now=now)]
        await harness.apply_all(*(moves if is_parent_first else moves[::-1]))
        await harness.expect(patched(child, moves[1].patch), patched(parent, cancel.patch))
        check((await harness.read(other)).status == "cancelled", "the other child lives on")


async def check_cascade_reaches_children_of_the_batch(harness: Harness) -> None:
    """Children that a row spawns in the batch that cancels its parent are cancelled too."""
    parent, _ = await harness.waiting(1)
    (child,) = (await harness.claim()).records
    now = await harness.storage.now()
    (leaf,) = harness.records.children(child, now, 1)
    moves = [
        law.cancel(parent, error=CANCELLED, now=now),
        law.spawn(child, run_output=b"1", children=(leaf,), now=now),
    ]
    applied = await harness.apply_all(*moves)
    check(applied.joinable == (), "a cancelled row is joinable")
    spawned = patched(child, moves[1].patch)
    await harness.expect(
        law.cancelled_with_ancestor(spawned, error=CANCELLED, now=now),
        law.cancelled_with_ancestor(leaf, error=CANCELLED, now=now),
    )


async def _other_tree(harness: Harness) -> tuple[ExecutionRecord, list[ExecutionRecord]]:
    now = await harness.storage.now()
    row = harness.records.root(now, task_id="other")
    await harness.storage.insert([row])
    (parent,) = (await harness.claim("other")).records
    return await harness.spawn(parent, 2)


def _index(row: ExecutionRecord) -> int:
    return row.index_in_parent


CHECKS = (
    check_cascade_over_levels,
    check_cascade_is_deep,
    check_cascade_needs_a_matched_guard,
    check_cascade_counts_off_the_grandparent,
    check_guards_see_the_rows_before_the_batch,
    check_cascade_reaches_children_of_the_batch,
)
