"""Deleting finished trees: whole, bounded, with their keys and tags, and never the unfinished."""

from __future__ import annotations

import asyncio

from durable_execution._core.offspring import Label
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.search import Search
from durable_execution.testing.storage_suite.harness import Harness, check, ids

_ALL = "~"
"""Above every id of a check."""


async def check_deletion_takes_old_finished_roots(harness: Harness) -> None:
    """Only what finished before the instant goes, whatever its status; the others stay as is."""
    old, cancelled = await harness.running(2)
    await harness.complete(old)
    await harness.cancel(cancelled)
    await harness.advance(100)
    instant = await harness.storage.now()
    (young,) = await harness.running()
    await harness.complete(young)
    (running,) = await harness.running()
    (ready,) = await harness.insert_roots()
    kept = [await harness.read(row) for row in (young, running, ready)]
    check(await _delete(harness, instant) == 2, "not two rows were deleted")
    await harness.expect(*kept)
    check(await harness.storage.get(ids([old, cancelled])) == [None, None], "old rows are left")
    check(await _delete(harness, instant) == 0, "rows were deleted twice")
    check(await _delete(harness, instant + 1) == 1, "an instant belongs to what is before it")
    await harness.expect(*kept[1:])


async def check_deletion_takes_whole_trees(harness: Harness) -> None:
    """With a root goes all that is below it, at every depth."""
    rows = await _finished_tree(harness, depth=3, width=2)
    other = await _finished_tree(harness, depth=1, width=1)
    await harness.advance(1)
    deleted = await _delete(harness, await harness.storage.now())
    check(deleted == len(rows) + len(other), f"{deleted} rows were deleted")
    check(await harness.storage.get(ids([*rows, *other])) == [None] * deleted, "a row is left")
    check(await harness.storage.children_of(ids(rows)) == [], "a child is left")
    last = await harness.storage.last_children_of(ids(rows))
    check(last == [None] * len(rows), "a last child is left")
    check(await harness.storage.counts() == {}, "a row is counted")
    check((await harness.storage.search(Search())).records == (), "a row is found")


async def check_deletion_spares_unfinished_trees(harness: Harness) -> None:
    """A finished child of an unfinished root stays, however old it is."""
    parent, _ = await harness.waiting(2)
    done, _ = (await harness.claim()).records
    await harness.complete(done)
    kept = [await harness.read(parent), *await harness.storage.children_of(ids([parent]))]
    await harness.advance(10_000)
    check(await _delete(harness, await harness.storage.now()) == 0, "rows were deleted")
    await harness.expect(*kept)


async def check_deletion_is_bounded(harness: Harness) -> None:
    """A call deletes at most `limit` rows, trees that fit in one piece, and comes to an end."""
    trees = [await _finished_tree(harness, depth=1, width=2) for _ in range(5)]
    await harness.advance(1)
    now = await harness.storage.now()
    check(await _delete(harness, now, limit=0) == 0, "no row is no row")
    total = 0
    while deleted := await _delete(harness, now, limit=7):
        check(deleted <= 7, f"{deleted} rows were deleted at once")
        total += deleted
        for tree in trees:
            left = [row for row in await harness.storage.get(ids(tree)) if row is not None]
            check(len(left) in (0, len(tree)), "a tree that fits was cut")
    check(total == 15, f"{total} rows were deleted in all")


async def check_deletion_of_a_large_tree(harness: Harness) -> None:
    """A tree that is larger than the limit goes from below in several calls, its root last."""
    rows = await _finished_tree(harness, depth=3, width=3)
    await harness.advance(1)
    now, left = await harness.storage.now(), len(rows)
    while left:
        deleted = await _delete(harness, now, limit=5)
        check(1 <= deleted <= 5, f"{deleted} rows were deleted at once")
        left -= deleted
        found = {row.execution_id for row in await _found(harness, rows)}
        check(len(found) == left, "the number is wrong")
        cut = [row for row in await _found(harness, rows) if row.parent_execution_id is not None]
        check(all(row.parent_execution_id in found for row in cut), "a row lost its parent")
        parents = await harness.storage.last_children_of(sorted(found))
        check(
            all(row is None or row.execution_id in found for row in parents), "a last child is left"
        )


async def check_deletion_takes_keys_and_tags_along(harness: Harness) -> None:
    """The key of a deleted row is free, its tags find nothing, and its sleeping id is free."""
    now = await harness.storage.now()
    label = Label(idempotency_key="order", tags=(("tenant", "acme"), ("tier", "1")))
    first = harness.records.root(now, label=label)
    sleeper = harness.records.sleeper(now, "bell")
    await harness.storage.insert([first, sleeper])
    await harness.register()
    await harness.complete(*(await harness.claim()).records)
    await harness.cancel(sleeper)
    await harness.advance(1)
    check(await _delete(harness, await harness.storage.now()) == 2, "not both were deleted")
    check(await harness.storage.get_by_sleeping_unique_id("bell") is None, "the sleeper is left")
    again = harness.records.root(now, label=label)
    new_sleeper = harness.records.sleeper(now, "bell")
    answers = await harness.storage.insert([again, new_sleeper])
    check(answers == [None, None], "the key is still held")
    found = await harness.storage.search(Search(tags=label.tags))
    check(ids(found.records) == [again.execution_id], "the tags find other rows")
    await harness.expect(again, new_sleeper)


async def check_deletion_looks_only_below_an_id(harness: Harness) -> None:
    """Roots from `id_before` on are not looked at, and no obstacle to the others."""
    rows = await harness.running(6)
    await harness.complete(*reversed(rows))
    await harness.advance(1)
    now, bound = await harness.storage.now(), sorted(ids(rows))[2]
    deleted = await harness.storage.delete_finished(now, 2, id_before=bound)
    check(deleted == 2, f"{deleted} rows were deleted")
    left = [row.execution_id for row in await _found(harness, rows)]
    check(sorted(left) == sorted(ids(rows))[2:], "other rows were deleted")
    check(await _delete(harness, now) == 4, "the others cannot be deleted any more")


async def check_deletions_at_once(harness: Harness) -> None:
    """Several that delete at the same moment count every row once."""
    trees = [await _finished_tree(harness, depth=1, width=2) for _ in range(6)]
    rows = [row for tree in trees for row in tree]
    await harness.advance(1)
    now = await harness.storage.now()
    storages = [harness.storage, await harness.second()]
    total = 0
    while await _found(harness, rows):
        total += sum(
            await asyncio.gather(
                *[each.delete_finished(now, 7, id_before=_ALL) for each in storages * 2]
            )
        )
    check(total == len(rows), f"{total} rows were deleted of {len(rows)}")


async def _delete(harness: Harness, finished_before: int, limit: int = 1000) -> int:
    return await harness.storage.delete_finished(finished_before, limit, id_before=_ALL)


async def _found(harness: Harness, rows: list[ExecutionRecord]) -> list[ExecutionRecord]:
    return [row for row in await harness.storage.get(ids(rows)) if row is not None]


async def _finished_tree(harness: Harness, *, depth: int, width: int) -> list[ExecutionRecord]:
    """Make a tree in which every row down to the depth has that many children; cancel it."""
    (root,) = await harness.running()
    rows, level = [root], [root]
    for _ in range(depth):
        for parent in level:
            await harness.spawn(parent, width)
        level = list((await harness.claim()).records)
        rows += level
    await harness.cancel(await harness.read(root))
    return rows


CHECKS = (
    check_deletion_takes_old_finished_roots,
    check_deletion_takes_whole_trees,
    check_deletion_spares_unfinished_trees,
    check_deletion_is_bounded,
    check_deletion_of_a_large_tree,
    check_deletion_takes_keys_and_tags_along,
    check_deletion_looks_only_below_an_id,
    check_deletions_at_once,
)
