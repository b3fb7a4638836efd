"""Parents that go on in the transaction in which their last child ends, and children that start."""

from __future__ import annotations

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.offspring import in_trace
from durable_execution._core.patch import Transition, counted_off, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import DuplicateSleepingIdError
from durable_execution.testing.storage_suite.harness import (
    CANCELLED,
    EXECUTOR,
    FAILED,
    Harness,
    check,
    ids,
)


async def check_the_end_of_a_step_begins_the_next(harness: Harness) -> None:
    """One move: the child ends, its parent advances, and the next child runs."""
    parent, step = await _one_step(harness)
    move = await _advancing(harness, parent, step)
    joins = _joins_of(move)
    applied = await harness.apply_all(move)
    check(applied.joined == (True,), "it does not say that the parent went on")
    check(applied.has_started, "it does not say that the next step runs")
    check(applied.joinable == (), "a parent that went on is joinable")
    parent = patched(counted_off(parent, 1, parent.updated_at), joins.patch)
    await harness.expect(patched(step, move.patch), parent, *joins.children)
    check((await harness.claim()).records == (), "what runs was claimed")
    again = await harness.storage.apply([move])
    check(again.matched == (False,), "it happened twice")
    check(not any(again.joined), "the parent went on twice")
    await harness.expect(parent, *joins.children)
    (following,) = joins.children
    await harness.complete(following)


async def check_the_end_of_a_parent_is_counted_off(harness: Harness) -> None:
    """A parent that ends with its child is counted off its own parent, whatever its end."""
    grandparent, (one, other) = await harness.waiting(2)
    running = {row.execution_id: row for row in (await harness.claim()).records}
    steps = []
    for parent in (one, other):
        waits, _ = await harness.spawn(running[parent.execution_id], 1)
        (step,) = (await harness.claim()).records
        steps.append((waits, step))
    now = await harness.storage.now()
    ready = [counted_off(parent, 1, now) for parent, _ in steps]
    ends = (
        law.join(ready[0], output=b"[2]", now=now),
        law.fail_to_join(ready[1], error=FAILED, now=now),
    )
    moves = [
        law.joining(law.complete(step, output=b"[1]", now=now), end)
        for (_, step), end in zip(steps, ends, strict=True)
    ]
    applied = await harness.apply_all(*moves)
    check(applied.joined == (True, True), "it does not say that the parents went on")
    grandparent = counted_off(grandparent, 2, now)
    check(ids(applied.joinable) == [grandparent.execution_id], "the parents were not counted off")
    await harness.expect(
        grandparent,
        *[patched(row, end.patch) for row, end in zip(ready, ends, strict=True)],
        *[patched(step, move.patch) for (_, step), move in zip(steps, moves, strict=True)],
    )


async def check_a_parent_that_does_not_go_on(harness: Harness) -> None:
    """Another child runs, or the parent has moved: the child is counted off as without it."""
    crowded, _ = await harness.waiting(2)
    first, second = (await harness.claim()).records
    early = await _advancing(harness, msgspec.structs.replace(crowded, children_count=2), first)
    moved, step = await _one_step(harness)
    stale = msgspec.structs.replace(moved, fence=moved.fence - 1)
    late = await _advancing(harness, stale, step)
    free, last = await _one_step(harness)
    good = await _advancing(harness, free, last)
    applied = await harness.apply_all(early, good, late)
    check(applied.joined == (False, True, False), f"wrong parents went on: {applied.joined}")
    check(ids(applied.joinable) == [moved.execution_id], "not what waits for nothing is joinable")
    (crowded_now,) = await harness.storage.get([crowded.execution_id])
    check(crowded_now is not None and crowded_now.active_children_count == 1, "not counted off")
    await harness.expect(
        second,
        patched(first, early.patch),
        patched(step, late.patch),
        *_joins_of(good).children,
    )
    left_out = [*_joins_of(early).children, *_joins_of(late).children]
    check(await harness.storage.get(ids(left_out)) == [None, None], "their children are there")


async def check_a_parent_does_not_go_on_with_a_stale_child(harness: Harness) -> None:
    """A worker that lost its lease moves neither the child nor the parent."""
    parent, step = await _one_step(harness)
    move = await _advancing(harness, parent, msgspec.structs.replace(step, fence=step.fence - 1))
    applied = await harness.storage.apply([move])
    check(applied.matched == (False,), "a stale child ended")
    check(not any(applied.joined), "its parent went on")
    await harness.expect(parent, step)
    check(await harness.storage.get(ids(_joins_of(move).children)) == [None], "it has a next step")


async def check_a_parent_that_ended_does_not_go_on(harness: Harness) -> None:
    """A cascade of the same batch reaches the next step; one of before leaves none to begin."""
    (root,) = await harness.running()
    root, (parent,) = await harness.spawn(root, 1)
    (parent,) = (await harness.claim()).records
    parent, _ = await harness.spawn(parent, 1)
    (step,) = (await harness.claim()).records
    move = await _advancing(harness, parent, step)
    now = await harness.storage.now()
    await harness.apply_all(move, law.cancel(root, error=CANCELLED, now=now))
    (following,) = _joins_of(move).children
    for row in (root, parent, following):
        check((await harness.read(row)).status == "cancelled", f"{row.execution_id} goes on")
    again = await _advancing(harness, await harness.read(parent), step, is_checked=False)
    check((await harness.storage.apply([again])).matched == (False,), "a finished child ended")


async def check_a_parent_is_cancelled_whatever_step_it_has_come_to(harness: Harness) -> None:
    """Who cancels read the parent a step or a child ago; other moves need it as it was read."""
    rows = [await _one_step(harness) for _ in range(3)]
    now = await harness.storage.now()
    cancels = [law.cancel(parent, error=CANCELLED, now=now) for parent, _ in rows]
    ready = counted_off(rows[0][0], 1, now)
    join = law.join(ready, output=b"[2]", now=now)
    moves = [await _advancing(harness, parent, step) for parent, step in rows[:2]]
    await harness.apply_all(*moves)
    check((await harness.storage.apply([join])).matched == (False,), "a stale join was applied")
    await harness.apply_all(*cancels)
    for parent, _ in rows:
        check((await harness.read(parent)).status == "cancelled", "it goes on")
    for move in moves:
        (following,) = _joins_of(move).children
        check((await harness.read(following)).status == "cancelled", "the next step goes on")
    check((await harness.storage.apply(cancels)).matched == (False,) * 3, "cancelled twice")


async def check_a_step_with_a_taken_sleeping_id(harness: Harness) -> None:
    """It refuses the batch, the end of the child included."""
    parent, step = await _one_step(harness)
    now = await harness.storage.now()
    await harness.storage.insert([harness.records.sleeper(now, "taken")])
    move = await _advancing(harness, parent, step, sleeping_unique_id="taken")
    try:
        await harness.storage.apply([move])
    except DuplicateSleepingIdError as error:
        check(error.sleeping_unique_id == "taken", f"names {error.sleeping_unique_id!r}")
    else:
        raise AssertionError("a taken sleeping id was accepted")
    await harness.expect(parent, step)


async def check_children_may_start_at_once(harness: Harness) -> None:
    """Some of the children of a move run from the start, in a trace or not; the others wait."""
    for trace in (None, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        (parent,) = await harness.running()
        now = await harness.storage.now()
        children = [in_trace(each, trace) for each in harness.records.children(parent, now, 3)]
        children[1:] = [law.claimed(each, executor_id=EXECUTOR, now=now) for each in children[1:]]
        move = law.spawn(parent, run_output=b"[1]", children=tuple(children), now=now)
        applied = await harness.apply_all(move)
        check(applied.has_started, "children of an executor with a lease were refused")
        await harness.expect(*children)
        (first,) = (await harness.claim()).records
        check(first.execution_id == children[0].execution_id, "not the one that waits was claimed")
        applied = await harness.complete(first, *children[1:])
        check(ids(applied.joinable) == [parent.execution_id], "they were not counted")


async def check_children_do_not_start_without_a_lease(harness: Harness) -> None:
    """They are there, and ready for whoever has one."""
    await harness.register("de_over", lease_ms=1)
    await harness.advance(2)
    for executor_id in ("de_unknown", "de_over"):
        (parent,) = await harness.running()
        now = await harness.storage.now()
        ready = harness.records.children(parent, now, 2)
        running = [law.claimed(each, executor_id=executor_id, now=now) for each in ready]
        move = law.spawn(parent, run_output=b"[1]", children=tuple(running), now=now)
        applied = await harness.apply_all(move)
        check(not applied.has_started, f"{executor_id} was let in")
        await harness.expect(*ready)
        await harness.complete(*(await harness.claim()).records)


async def _one_step(harness: Harness) -> tuple[ExecutionRecord, ExecutionRecord]:
    """Return a parent that waits for one child, and that child, running."""
    parent, _ = await harness.waiting(1)
    (step,) = (await harness.claim()).records
    return parent, step


async def _advancing(
    harness: Harness,
    parent: ExecutionRecord,
    step: ExecutionRecord,
    *,
    sleeping_unique_id: str | None = None,
    is_checked: bool = True,
) -> Transition:
    """Return the end of a step with which its parent, as far as is known, begins the next."""
    now = await harness.storage.now()
    index = parent.children_count
    following = harness.records.child(
        parent, now, index=index, sleeping_unique_id=sleeping_unique_id
    )
    if sleeping_unique_id is None:
        following = law.claimed(following, executor_id=EXECUTOR, now=now)
    move = law.complete(step, output=b"[1]", now=now)
    ready = msgspec.structs.replace(
        parent,
        status=parent.status if is_checked else "waiting_for_children",
        active_children_count=0,
        updated_at=now,
    )
    return law.joining(move, law.advance(ready, child=following, now=now))


def _joins_of(move: Transition) -> Transition:
    if move.joins is None:
        raise AssertionError("the scene has nobody who joins")
    return move.joins


CHECKS = (
    check_the_end_of_a_step_begins_the_next,
    check_the_end_of_a_parent_is_counted_off,
    check_a_parent_that_does_not_go_on,
    check_a_parent_does_not_go_on_with_a_stale_child,
    check_a_parent_that_ended_does_not_go_on,
    check_a_parent_is_cancelled_whatever_step_it_has_come_to,
    check_a_step_with_a_taken_sleeping_id,
    check_children_may_start_at_once,
    check_children_do_not_start_without_a_lease,
)
