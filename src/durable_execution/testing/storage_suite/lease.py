"""Leases: heartbeats, rows lost meanwhile, orphans of dead executors, signing off."""

from __future__ import annotations

from durable_execution._core import transitions as law
from durable_execution.storage.protocol import Beat
from durable_execution.testing.storage_suite.harness import (
    EXECUTOR,
    LEASE_MS,
    Harness,
    check,
    check_same,
    ids,
)


async def check_heartbeat_knows_whom_it_saw(harness: Harness) -> None:
    """The first beat registers, later ones extend; the answer tells the storage's clock."""
    before = await harness.storage.now()
    first = await harness.storage.heartbeat(Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS))
    check(before <= first.now <= await harness.storage.now(), "not the storage's clock")
    check(not first.was_known, "a new executor was known")
    second = await harness.storage.heartbeat(Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS))
    check(second.was_known and second.lost == (), "a registered executor was not known")
    other = await harness.storage.heartbeat(Beat(executor_id="other", lease_ms=LEASE_MS))
    check(not other.was_known, "one executor was taken for another")


async def check_heartbeat_extends_the_lease(harness: Harness) -> None:
    """While beats come in time, nothing is an orphan."""
    (row,) = await harness.running()
    for _ in range(3):
        await harness.advance(LEASE_MS - 1_000)
        check(await harness.storage.orphans(10) == [], "an orphan within the lease")
        await harness.register()
    await harness.expect(row)


async def check_heartbeat_tells_lost_rows(harness: Harness) -> None:
    """Held rows that were cancelled, finished, rescued or never were are told; others are not."""
    kept, cancelled, rescued, done = await harness.running(4)
    now = await harness.storage.now()
    await harness.apply_all(law.rescue(rescued, now=now))
    await harness.register("other")
    (again,) = (await harness.claim(executor_id="other")).records
    await harness.cancel(cancelled)
    await harness.complete(done)
    gone = [(row.execution_id, row.fence) for row in (done, rescued, again, cancelled)]
    gone += [("ghost", 1), (kept.execution_id, kept.fence + 1)]
    held = (*gone[:2], (kept.execution_id, kept.fence), *gone[2:])
    beat = Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS, held=held)
    lost = (await harness.storage.heartbeat(beat)).lost
    check(sorted(lost) == sorted(name for name, _ in gone), f"lost is {lost}")


async def check_held_by_tells_what_a_lost_answer_hid(harness: Harness) -> None:
    """All rows that an executor is running, and no others: a claim's answer may get lost."""
    mine = await harness.running(3)
    await harness.register("other")
    await harness.storage.insert([harness.records.root(await harness.storage.now())])
    (theirs,) = (await harness.claim(executor_id="other")).records
    await harness.complete(mine[0])
    held = await harness.storage.held_by(EXECUTOR, 10)
    check(sorted(ids(held)) == sorted(ids(mine[1:])), "not the rows that run on it")
    by_id = {row.execution_id: row for row in mine}
    check_same(held[0], by_id[held[0].execution_id])
    check(ids(await harness.storage.held_by("other", 10)) == ids([theirs]), "mixed up")
    check(len(await harness.storage.held_by(EXECUTOR, 1)) == 1, "the limit does not hold")
    check(await harness.storage.held_by(EXECUTOR, 0) == [], "a limit of 0 returned rows")
    check(await harness.storage.held_by("stranger", 10) == [], "a stranger holds rows")


async def check_heartbeat_holding_a_thousand(harness: Harness) -> None:
    """An executor may hold many rows."""
    rows = await harness.running(1000)
    await harness.complete(rows[500])
    held = tuple((row.execution_id, row.fence) for row in rows)
    beat = Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS, held=held)
    lost = (await harness.storage.heartbeat(beat)).lost
    check(lost == (rows[500].execution_id,), f"{len(lost)} rows are lost")


async def check_orphans_of_an_expired_lease(harness: Harness) -> None:
    """A lease of n milliseconds is over after n: the executor's running rows are orphans."""
    row, done, given_back = await harness.running(3)
    now = await harness.storage.now()
    await harness.complete(done)
    await harness.apply_all(law.hand_back(given_back, now=now))
    await harness.register()
    await harness.advance(LEASE_MS)
    (orphan,) = await harness.storage.orphans(10)
    check_same(orphan, row)
    check(ids(await harness.storage.orphans(10)) == ids([row]), "asking took the orphan")


async def check_orphans_leave_the_living_alone(harness: Harness) -> None:
    """Only the dead executor's rows are orphans."""
    (mine,) = await harness.running(executor_id="dead")
    await harness.advance(LEASE_MS // 2)
    (other,) = await harness.running(executor_id="alive")
    await harness.advance(LEASE_MS // 2)
    check(ids(await harness.storage.orphans(10)) == ids([mine]), "not exactly the dead one's")
    await harness.expect(other)


async def check_orphans_are_rescued_and_their_executor_forgotten(harness: Harness) -> None:
    """Once its rows are elsewhere, a dead executor is forgotten; then it is new again."""
    (row,) = await harness.running()
    await harness.advance(LEASE_MS)
    (orphan,) = await harness.storage.orphans(10)
    now = await harness.storage.now()
    await harness.apply_all(law.rescue(orphan, now=now))
    check(await harness.storage.orphans(10) == [], "a rescued row is an orphan")
    beat = Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS, held=((row.execution_id, row.fence),))
    pulse = await harness.storage.heartbeat(beat)
    check(not pulse.was_known, "a forgotten executor was known")
    check(pulse.lost == (row.execution_id,), "the rescued row is not told as lost")


async def check_orphans_revive_with_their_executor(harness: Harness) -> None:
    """A late beat that comes before a rescue takes the rows back."""
    (row,) = await harness.running()
    await harness.advance(LEASE_MS + 1)
    check(len(await harness.storage.orphans(10)) == 1, "the lease did not end")
    beat = Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS, held=((row.execution_id, row.fence),))
    pulse = await harness.storage.heartbeat(beat)
    check(pulse.was_known and pulse.lost == (), "the executor did not revive")
    check(await harness.storage.orphans(10) == [], "a row of a revived executor is an orphan")
    await harness.complete(row)


async def check_orphans_do_not_sleep_or_wait(harness: Harness) -> None:
    """Sleeping and waiting rows need no executor, and outlive theirs."""
    parent, _ = await harness.waiting(1)
    sleeper = harness.records.sleeper(await harness.storage.now(), "zzz", timeout_ms=10**9)
    await harness.storage.insert([sleeper])
    await harness.advance(LEASE_MS)
    check(await harness.storage.orphans(10) == [], "a row that needs nobody is an orphan")
    await harness.expect(parent, sleeper)


async def check_orphans_limit(harness: Harness) -> None:
    """The limit holds, and the executor is not forgotten while rows are left."""
    rows = await harness.running(3)
    await harness.advance(LEASE_MS)
    check(await harness.storage.orphans(0) == [], "a limit of 0 returned rows")
    some = await harness.storage.orphans(2)
    check(len(some) == 2, "the limit does not hold")
    now = await harness.storage.now()
    await harness.apply_all(*[law.rescue(row, now=now) for row in some])
    rest = await harness.storage.orphans(2)
    check(sorted(ids([*some, *rest])) == ids(rows), "an orphan was forgotten")


async def check_orphans_of_several_dead_executors(harness: Harness) -> None:
    """Sweeps of any limit find every row of every dead executor in the end."""
    names = ["dead-1", "dead-2", "dead-3"]
    rows = [row for name in names for row in await harness.running(2, executor_id=name)]
    await harness.advance(LEASE_MS)
    found: list[str] = []
    for _ in rows:
        some = await harness.storage.orphans(1)
        now = await harness.storage.now()
        await harness.apply_all(*[law.rescue(row, now=now) for row in some])
        found += ids(some)
    check(sorted(found) == sorted(ids(rows)), "an orphan was forgotten with its executor")


async def check_sign_off_orphans_at_once(harness: Harness) -> None:
    """Rows of an executor that signed off are orphans without waiting for the lease."""
    (row,) = await harness.running()
    await harness.storage.sign_off(EXECUTOR)
    check(ids(await harness.storage.orphans(10)) == ids([row]), "no orphan after a sign-off")
    pulse = await harness.storage.heartbeat(Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS))
    check(not pulse.was_known, "an executor that signed off was known")


async def check_sign_off_of_a_stranger(harness: Harness) -> None:
    """Signing off twice, or without a beat, is no error and touches nobody."""
    (row,) = await harness.running()
    await harness.storage.sign_off("stranger")
    await harness.storage.sign_off("stranger")
    check(await harness.storage.orphans(10) == [], "another executor's rows became orphans")
    await harness.expect(row)


async def check_heartbeat_tells_of_the_dead(harness: Harness) -> None:
    """A beat says whether some other executor has died or signed off, until it is forgotten."""
    beat = Beat(executor_id="alive", lease_ms=10 * LEASE_MS)
    await harness.running()
    check(not (await harness.storage.heartbeat(beat)).found_dead, "a living one is dead")
    await harness.advance(LEASE_MS)
    check((await harness.storage.heartbeat(beat)).found_dead, "a dead executor is not told")
    now = await harness.storage.now()
    await harness.apply_all(*[law.rescue(row, now=now) for row in await harness.storage.orphans(9)])
    check(await harness.storage.orphans(9) == [], "a rescued row is an orphan")
    check(not (await harness.storage.heartbeat(beat)).found_dead, "the dead were not forgotten")
    await harness.register()
    await harness.storage.sign_off(EXECUTOR)
    check((await harness.storage.heartbeat(beat)).found_dead, "a sign-off is not told")


async def check_tasks_of_live_executors_are_known(harness: Harness) -> None:
    """What executors say that they run is known while they live, and what they said last."""
    storage = harness.storage
    check(await storage.known_task_ids() == frozenset(), "tasks are known that nobody told")
    both = frozenset({"a", 'with "quotes"'})
    await storage.heartbeat(Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS, task_ids=both))
    check(await storage.known_task_ids() == both, "not what the first beat told")
    await storage.heartbeat(Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS))
    check(await storage.known_task_ids() == both, "a beat that tells nothing changed them")
    theirs = Beat(executor_id="other", lease_ms=2 * LEASE_MS, task_ids=frozenset({"a", "b"}))
    await storage.heartbeat(theirs)
    check(await storage.known_task_ids() == both | {"b"}, "not those of both")
    few = frozenset({"c"})
    await storage.heartbeat(Beat(executor_id=EXECUTOR, lease_ms=LEASE_MS, task_ids=few))
    check(await storage.known_task_ids() == {"a", "b", "c"}, "not what was told last")
    await harness.advance(LEASE_MS + 1)
    check(await storage.known_task_ids() == {"a", "b"}, "the dead are asked")
    await storage.sign_off("other")
    check(await storage.known_task_ids() == frozenset(), "those who signed off are asked")
    await storage.heartbeat(Beat(executor_id="idle", lease_ms=LEASE_MS, task_ids=frozenset()))
    check(await storage.known_task_ids() == frozenset(), "who runs nothing knows something")


CHECKS = (
    check_heartbeat_knows_whom_it_saw,
    check_heartbeat_extends_the_lease,
    check_heartbeat_tells_lost_rows,
    check_heartbeat_tells_of_the_dead,
    check_held_by_tells_what_a_lost_answer_hid,
    check_heartbeat_holding_a_thousand,
    check_tasks_of_live_executors_are_known,
    check_orphans_of_an_expired_lease,
    check_orphans_leave_the_living_alone,
    check_orphans_are_rescued_and_their_executor_forgotten,
    check_orphans_revive_with_their_executor,
    check_orphans_do_not_sleep_or_wait,
    check_orphans_limit,
    check_orphans_of_several_dead_executors,
    check_sign_off_orphans_at_once,
    check_sign_off_of_a_stranger,
)
