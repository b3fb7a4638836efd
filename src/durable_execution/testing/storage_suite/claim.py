"""Claiming: who may, which rows, in which order, and when to ask again."""

from __future__ import annotations

from durable_execution._core import transitions as law
from durable_execution.storage.protocol import Beat
from durable_execution.testing.storage_suite.harness import (
    EXECUTOR,
    FAILED,
    LEASE_MS,
    Harness,
    check,
    check_same,
    ids,
)


async def check_claim_makes_rows_running(harness: Harness) -> None:
    """A claimed row is as the law says, in the answer as in the storage."""
    (row,) = await harness.insert_roots()
    await harness.register()
    await harness.advance(3)
    before = await harness.storage.now()
    claimed = await harness.claim()
    after = await harness.storage.now()
    (running,) = claimed.records
    started_at = running.started_at or 0
    check(before <= started_at <= after, "started_at is not the storage's now")
    check_same(running, law.claimed(row, executor_id=EXECUTOR, now=started_at))
    await harness.expect(running)


async def check_claim_takes_a_row_once(harness: Harness) -> None:
    """A claimed row is not claimed again."""
    await harness.insert_roots(3)
    await harness.register()
    check(len((await harness.claim()).records) == 3, "three ready rows were not claimed")
    again = await harness.claim()
    check(again.records == () and again.next_start_at is None, "a row was claimed twice")


async def check_claim_needs_a_registered_executor(harness: Harness) -> None:
    """An executor that never beat, or signed off, claims nothing."""
    (row,) = await harness.insert_roots()
    await harness.register("other")
    check((await harness.claim()).records == (), "a stranger claimed")
    await harness.register()
    await harness.storage.sign_off(EXECUTOR)
    check((await harness.claim()).records == (), "an executor that signed off claimed")
    await harness.expect(row)


async def check_claim_needs_a_lease(harness: Harness) -> None:
    """An executor whose lease is over claims nothing until it beats again."""
    (row,) = await harness.insert_roots()
    await harness.register()
    await harness.advance(LEASE_MS)
    later = harness.records.root(await harness.storage.now(), sleep_before_run_ms=1_000)
    await harness.storage.insert([later])
    claimed = await harness.claim()
    check(claimed.records == (), "an executor claimed without a lease")
    check(claimed.next_start_at is None, "an executor without a lease is told a next start")
    await harness.expect(row, later)
    await harness.register()
    check(len((await harness.claim()).records) == 1, "an executor that revived did not claim")


async def check_claim_takes_the_earliest_first(harness: Harness) -> None:
    """Order is `start_at`, over all tasks, and the limit cuts the latest."""
    now = await harness.storage.now()
    offsets = [5, 3, 9, 1, 7, 2]
    rows = [
        harness.records.root(now, start_at=now - offset, task_id=f"task{offset % 2}")
        for offset in offsets
    ]
    await harness.storage.insert(rows)
    await harness.register()
    by_age = sorted(rows, key=lambda row: row.start_at)
    first = await harness.claim("task0", "task1", limit=4)
    check(ids(first.records) == ids(by_age[:4]), "not the four earliest, in order")
    check(first.next_start_at is None, "a full claim says to wait")
    await harness.expect(*by_age[4:])
    second = await harness.claim("task0", "task1", limit=4)
    check(ids(second.records) == ids(by_age[4:]), "not the rest, in order")


async def check_claim_leaves_other_tasks(harness: Harness) -> None:
    """Only rows of the named tasks are claimed, even if others are older; no task, no row."""
    now = await harness.storage.now()
    other = harness.records.root(now, start_at=now - 1000, task_id="unknown")
    mine = harness.records.root(now)
    await harness.storage.insert([other, mine])
    await harness.register()
    check((await harness.claim("Task", "tas", "task_")).records == (), "another task's row")
    check(ids((await harness.claim()).records) == ids([mine]), "not the named task's row")
    await harness.expect(other)


async def check_claim_waits_for_start_at(harness: Harness) -> None:
    """A row is not claimed before `start_at`, and is at it; the answer says when to ask again."""
    now = await harness.storage.now()
    rows = [harness.records.root(now, sleep_before_run_ms=ms) for ms in (9_000, 5_000)]
    other = harness.records.root(now, sleep_before_run_ms=1_000, task_id="unknown")
    await harness.storage.insert([*rows, other])
    await harness.register()
    early = await harness.claim()
    check(early.records == (), "claimed before its start")
    check(early.next_start_at == now + 5_000, f"asks to come back at {early.next_start_at}")
    await harness.expect(*rows, other)
    await harness.advance(5_000)
    due = await harness.claim()
    check(ids(due.records) == ids(rows[1:]), "not claimed at its start")
    check(due.next_start_at == now + 9_000, f"asks to come back at {due.next_start_at}")


async def check_claim_of_no_rows(harness: Harness) -> None:
    """A limit of zero or no task claims nothing."""
    await harness.insert_roots(2)
    await harness.register()
    check((await harness.claim(limit=0)).records == (), "a limit of 0 claimed")
    check((await harness.claim("no_such_task")).records == (), "an unknown task claimed")


async def check_claim_leaves_sleeping_rows(harness: Harness) -> None:
    """Sleeping rows belong to nobody."""
    now = await harness.storage.now()
    sleeper = harness.records.sleeper(now, "zzz", task_id="task")
    await harness.storage.insert([sleeper])
    await harness.register()
    check((await harness.claim()).records == (), "a sleeping row was claimed")
    await harness.expect(sleeper)


async def check_claim_after_a_requeue(harness: Harness) -> None:
    """A row given back is claimed again from its new start on, with a higher fence."""
    (row,) = await harness.running()
    now = await harness.storage.now()
    await harness.apply_all(law.retry(row, error=FAILED, start_at=now + 2_000, now=now))
    waiting = await harness.claim()
    check(waiting.records == () and waiting.next_start_at == now + 2_000, "claimed too early")
    await harness.advance(2_000)
    (again,) = (await harness.claim()).records
    check(again.fence == row.fence + 1, f"the fence went from {row.fence} to {again.fence}")
    check((again.attempt, again.error) == (1, FAILED), "the claim forgot the attempt before")


async def check_claim_of_a_large_batch(harness: Harness) -> None:
    """A thousand rows are claimed at once."""
    rows = await harness.insert_roots(1000)
    await harness.register()
    claimed = await harness.claim(limit=1000)
    check(sorted(ids(claimed.records)) == sorted(ids(rows)), "not all thousand rows")
    await harness.expect(*claimed.records)


async def check_rows_may_be_inserted_claimed(harness: Harness) -> None:
    """What an executor with a lease inserts as claimed runs there, and is no work for others."""
    await harness.register()
    now = await harness.storage.now()
    roots = [harness.records.root(now) for _ in range(3)]
    rows = [law.claimed(row, executor_id=EXECUTOR, now=now) for row in roots]
    check(await harness.storage.insert_claimed(rows), "an executor with a lease was refused")
    await harness.expect(*rows)
    check((await harness.claim()).records == (), "rows that run are claimed")
    held = await harness.storage.held_by(EXECUTOR, 10)
    check(sorted(ids(held)) == sorted(ids(rows)), "the executor does not hold its rows")
    beat = Beat(
        executor_id=EXECUTOR,
        lease_ms=LEASE_MS,
        held=tuple((row.execution_id, row.fence) for row in rows),
    )
    check((await harness.storage.heartbeat(beat)).lost == (), "rows were lost")
    await harness.complete(*rows)


async def check_nothing_is_inserted_claimed_without_a_lease(harness: Harness) -> None:
    """Rows of an executor that is unknown, signed off or dead would be orphans at once."""
    await harness.register("de_over", lease_ms=1)
    await harness.register("de_signed_off")
    await harness.storage.sign_off("de_signed_off")
    await harness.advance(2)
    now = await harness.storage.now()
    for executor_id in ("de_unknown", "de_over", "de_signed_off"):
        rows = [harness.records.root(now) for _ in range(2)]
        running = [law.claimed(row, executor_id=executor_id, now=now) for row in rows]
        check(not await harness.storage.insert_claimed(running), f"{executor_id} was let in")
        check(await harness.storage.get(ids(rows)) == [None, None], "rows were inserted")


async def check_earliest_ready(harness: Harness) -> None:
    """The earliest start of what is ready is told, of any task, due or not."""
    check(await harness.storage.earliest_ready() is None, "an empty storage has ready rows")
    now = await harness.storage.now()
    later = harness.records.root(now, sleep_before_run_ms=60_000)
    unknown = harness.records.root(now, task_id="unknown", start_at=now - 5_000)
    await harness.storage.insert([later, unknown, harness.records.sleeper(now, "bell")])
    check(await harness.storage.earliest_ready() == now - 5_000, "not the earliest")
    await harness.register()
    await harness.claim("unknown")
    check(await harness.storage.earliest_ready() == now + 60_000, "a running row is ready")


CHECKS = (
    check_earliest_ready,
    check_claim_makes_rows_running,
    check_claim_takes_a_row_once,
    check_claim_needs_a_registered_executor,
    check_claim_needs_a_lease,
    check_claim_takes_the_earliest_first,
    check_claim_leaves_other_tasks,
    check_claim_waits_for_start_at,
    check_claim_of_no_rows,
    check_claim_leaves_sleeping_rows,
    check_claim_after_a_requeue,
    check_claim_of_a_large_batch,
    check_rows_may_be_inserted_claimed,
    check_nothing_is_inserted_claimed_without_a_lease,
)
