"""Retrying a tree that has failed: what is run again, what is kept, and who may come in between."""

from __future__ import annotations

import asyncio

from durable_execution._core import transitions as law
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.protocol import Reopened
from durable_execution.testing.storage_suite.harness import FAILED, Harness, check, check_same, ids


async def check_a_failed_root_is_ready_again(harness: Harness) -> None:
    """Every field is as `transitions.reopened` says, and it is claimed, once, by the next claim."""
    (row,) = await harness.running()
    await _fail(harness, row)
    before = await harness.read(row)
    await harness.advance(5)
    now = await harness.storage.now()
    answer = await harness.storage.reopen(row.execution_id, now)
    after = law.reopened(before, now=now)
    check_same(answer.root, after)
    check((ids(answer.rows), answer.refusal) == ([row.execution_id], None), "the answer is wrong")
    await harness.expect(after)
    claimed = (await harness.claim()).records
    check(ids(claimed) == [row.execution_id], "it is not claimed")
    check(claimed[0].fence == before.fence + 2, f"the fence is {claimed[0].fence}")
    await harness.complete(claimed[0])


async def check_reopening_is_no_news_to_what_has_not_failed(harness: Harness) -> None:
    """What is unfinished, has completed or is not there stays as it is, and is returned."""
    done, running = await harness.running(2)
    await harness.complete(done)
    (ready,) = await harness.insert_roots()
    for row in (done, running, ready):
        before = await harness.read(row)
        answer = await _reopen(harness, row)
        check_same(answer.root, before)
        check((answer.rows, answer.refusal) == ((), None), "something was reopened")
        await harness.expect(before)
    ghost = await harness.storage.reopen("ghost", await harness.storage.now())
    check(ghost == Reopened(root=None), "there is no such row")


async def check_only_a_root_is_reopened(harness: Harness) -> None:
    """A child is refused: its parent would be finished above an unfinished row."""
    parent, (child, _) = await harness.waiting(2)
    await harness.cancel(parent)
    before = await harness.read(child)
    answer = await _reopen(harness, child)
    check((answer.refusal, answer.rows) == ("child", ()), "a child was reopened")
    await harness.expect(before)


async def check_a_tree_keeps_what_has_completed(harness: Harness) -> None:
    """Failed children are ready again, their parent waits for them alone, the others stay."""
    parent, children = await harness.waiting(3)
    good, bad, cancelled = sorted(
        (await harness.claim()).records, key=lambda row: row.index_in_parent
    )
    await harness.complete(good)
    await _fail(harness, bad)
    await harness.cancel(await harness.read(parent))
    kept = await harness.read(good)
    answer = await _reopen(harness, parent)
    check(set(ids(answer.rows)) == set(ids([parent, bad, cancelled])), "other rows were reopened")
    check(answer.rows[0].execution_id == parent.execution_id, "the root is not the first")
    root = await harness.read(parent)
    check(
        (root.status, root.active_children_count, root.children_count, root.run_output)
        == ("waiting_for_children", 2, 3, b"[1]"),
        f"the parent is {root}",
    )
    check((root.error, root.finished_at) == (None, None), "the parent is finished")
    await harness.expect(kept)
    again = (await harness.claim()).records
    check(set(ids(again)) == set(ids([bad, cancelled])), "other rows are ready")
    applied = await harness.complete(*again)
    check(ids(applied.joinable) == [parent.execution_id], "the parent is not joinable")
    check(len(children) == 3, "the scene was not set")


async def check_a_deep_tree_is_reopened_as_a_whole(harness: Harness) -> None:
    """What a cascade cancelled comes back with it, at every depth."""
    rows = await _cancelled_tree(harness, depth=3, width=2)
    answer = await _reopen(harness, rows[0])
    check(set(ids(answer.rows)) == set(ids(rows)), f"{len(answer.rows)} rows were reopened")
    for row in await harness.storage.get(ids(rows)):
        if row is None:
            raise AssertionError("a row is gone")
        children = await harness.storage.children_of([row.execution_id])
        unfinished = sum(not child.is_finished for child in children)
        check(row.active_children_count == unfinished == len(children), f"{row} counts wrong")
        check(row.status == ("waiting_for_children" if children else "ready"), f"{row.status}")


async def check_a_parent_with_nothing_to_repeat_is_joinable(harness: Harness) -> None:
    """Its children have completed, and it was cancelled before it was joined."""
    parent, _ = await harness.waiting(2)
    await harness.complete(*(await harness.claim()).records)
    await harness.cancel(await harness.read(parent))
    await _reopen(harness, parent)
    joinable = await harness.storage.joinable(frozenset({"task"}), 10)
    check(ids(joinable) == [parent.execution_id], "it is not joinable")


async def check_finalize_children_of_a_retried_parent(harness: Harness) -> None:
    """One that failed over good children is ready again; the newest counts as the last child."""
    parent, _ = await harness.waiting(1)
    await harness.complete(*(await harness.claim()).records)
    parent = await harness.read(parent)
    now = await harness.storage.now()
    finalize = harness.records.child(parent, now, is_finalize=True, task_id="finalize")
    await harness.apply_all(law.finalize(parent, child=finalize, now=now))
    (claimed,) = (await harness.claim("finalize")).records
    await _fail(harness, claimed)
    await harness.apply_all(
        law.fail_to_join(await harness.read(parent), error=FAILED, now=await harness.storage.now())
    )
    await _reopen(harness, parent)
    root, again = await harness.read(parent), await harness.read(finalize)
    check((root.status, root.active_children_count) == ("waiting_for_finalize", 1), f"{root}")
    check(again.status == "ready", f"the finalize child is {again.status}")
    newer = harness.records.child(root, now, is_finalize=True, index=9, task_id="finalize")
    older = harness.records.child(root, now, is_finalize=True, index=8, task_id="finalize")
    await harness.storage.insert([newer, older])
    (last,) = await harness.storage.last_children_of([parent.execution_id])
    check_same(last, newer)
    children = await harness.storage.children_of([parent.execution_id])
    check(ids(children)[-3:] == ids([finalize, older, newer]), "the order is wrong")


async def check_a_sleeper_sleeps_again(harness: Harness) -> None:
    """It expires anew, from now on, and is found by its unique id."""
    sleeper = harness.records.sleeper(await harness.storage.now(), "bell", timeout_ms=1_000)
    await harness.storage.insert([sleeper])
    await harness.cancel(sleeper)
    await harness.advance(5_000)
    answer = await _reopen(harness, sleeper)
    check(answer.rows[0].is_sleeping, "it does not sleep")
    check((await harness.storage.expired_sleepers(5)).records == (), "it expired at once")
    await harness.advance(1_001)
    check(
        ids((await harness.storage.expired_sleepers(5)).records) == [sleeper.execution_id],
        "it never expires",
    )
    found = await harness.storage.get_by_sleeping_unique_id("bell")
    check(found is not None and found.status == "running", "it is not found")


async def check_writes_from_before_a_retry_are_void(harness: Harness) -> None:
    """A worker that lost the row to the cancellation cannot end the new attempt."""
    (row,) = await harness.running()
    await harness.cancel(row)
    await _reopen(harness, row)
    (again,) = (await harness.claim()).records
    late = law.complete(row, output=b"late", now=await harness.storage.now())
    applied = await harness.storage.apply([late])
    check(applied.matched == (False,), "the late write was taken")
    await harness.expect(again)


async def check_several_who_retry_at_once(harness: Harness) -> None:
    """One reopens the tree, the others find it unfinished."""
    rows = await _cancelled_tree(harness, depth=2, width=3)
    second = await harness.second()
    now = await harness.storage.now()
    root_id = rows[0].execution_id
    storages = [harness.storage, second] * 3
    answers = await asyncio.gather(*[storage.reopen(root_id, now) for storage in storages])
    winners = [answer for answer in answers if answer.rows]
    check(len(winners) == 1, f"{len(winners)} reopened the tree")
    check(len(winners[0].rows) == len(rows), "a part was reopened")
    for answer in answers:
        check(answer.root is not None and not answer.root.is_finished, "it is finished")


async def check_a_retry_and_a_deletion_at_once(harness: Harness) -> None:
    """A tree is whole and runs again, or is gone: never a part of either."""
    for _ in range(5):
        parent, _ = await harness.waiting(3)
        claimed = (await harness.claim()).records
        await harness.complete(*claimed[:2])
        await harness.cancel(await harness.read(parent))
        await harness.advance(1)
        now = await harness.storage.now()
        second = await harness.second()
        answer, deleted = await asyncio.gather(
            harness.storage.reopen(parent.execution_id, now),
            second.delete_finished(now, 100, id_before="~"),
        )
        children = await harness.storage.children_of([parent.execution_id])
        expected = (4, 0, 0) if answer.root is None else (0, 3, 2)
        check(
            (deleted, len(children), len(answer.rows)) == expected,
            f"{deleted} deleted, {len(children)} left, {len(answer.rows)} reopened",
        )
        if answer.root is not None:
            await harness.cancel(await harness.read(parent))
            await harness.advance(1)
            check(await _delete(harness, await harness.storage.now()) == 4, "it is not deleted")


async def check_what_was_cut_by_a_deletion_is_refused(harness: Harness) -> None:
    """A tree that is being deleted in several calls is not run again without its children."""
    rows = await _cancelled_tree(harness, depth=1, width=4)
    await harness.advance(1)
    now = await harness.storage.now()
    check(await harness.storage.delete_finished(now, 2, id_before="~") == 2, "it was not cut")
    answer = await _reopen(harness, rows[0])
    check((answer.refusal, answer.rows) == ("cut", ()), "a cut tree was reopened")


async def check_a_retried_tree_is_deleted_by_its_last_finish(harness: Harness) -> None:
    """Retention counts from then; what finished and was reopened is not deleted meanwhile."""
    (row,) = await harness.running()
    await _fail(harness, row)
    await harness.advance(10)
    instant = await harness.storage.now()
    await _reopen(harness, row)
    check(await _delete(harness, instant) == 0, "an unfinished row was deleted")
    await harness.advance(1)
    await _fail(harness, *(await harness.claim()).records)
    check(await _delete(harness, instant) == 0, "it was deleted by its first finish")
    await harness.advance(10)
    check(await _delete(harness, await harness.storage.now()) == 1, "it is not deleted")


async def _reopen(harness: Harness, row: ExecutionRecord) -> Reopened:
    return await harness.storage.reopen(row.execution_id, await harness.storage.now())


async def _fail(harness: Harness, *rows: ExecutionRecord) -> None:
    now = await harness.storage.now()
    moves = [law.fail(row, status="failed", error=FAILED, now=now) for row in rows]
    await harness.apply_all(*moves)


async def _delete(harness: Harness, finished_before: int) -> int:
    return await harness.storage.delete_finished(finished_before, 100, id_before="~")


async def _cancelled_tree(harness: Harness, *, depth: int, width: int) -> list[ExecutionRecord]:
    """Make a tree in which every row down to the depth has that many children; cancel it."""
    (root,) = await harness.running()
    rows, level = [root], [root]
    for at in range(depth):
        for parent in level:
            await harness.spawn(parent, width)
        level = list((await harness.claim(limit=10_000)).records)
        rows += level
        check(len(level) == width ** (at + 1), "the scene was not empty")
    await harness.cancel(await harness.read(root))
    return rows


CHECKS = (
    check_a_failed_root_is_ready_again,
    check_reopening_is_no_news_to_what_has_not_failed,
    check_only_a_root_is_reopened,
    check_a_tree_keeps_what_has_completed,
    check_a_deep_tree_is_reopened_as_a_whole,
    check_a_parent_with_nothing_to_repeat_is_joinable,
    check_finalize_children_of_a_retried_parent,
    check_a_sleeper_sleeps_again,
    check_writes_from_before_a_retry_are_void,
    check_several_who_retry_at_once,
    check_a_retry_and_a_deletion_at_once,
    check_what_was_cut_by_a_deletion_is_refused,
    check_a_retried_tree_is_deleted_by_its_last_finish,
)
