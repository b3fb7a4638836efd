"""What is told of executors and of the backlog, for those who run the system."""

from __future__ import annotations

from durable_execution._core import transitions as law
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.protocol import Backlog, Beat, ListedExecutor
from durable_execution.testing.storage_suite.harness import FAILED, Harness, check

_LEASE_MS = 5_000


async def check_executors_are_listed_as_they_beat(harness: Harness) -> None:
    """Start, last beat, lease, tasks and what they run; until they are forgotten."""
    storage = harness.storage
    await harness.register("executor-2", lease_ms=60_000)
    (row,) = await harness.running(executor_id="executor-2")
    started_at = (await storage.executors(10))[0].started_at
    await harness.advance(50)
    held = ((row.execution_id, row.fence),)
    tasks = frozenset({"task", "other"})
    beat = Beat(
        executor_id="executor-2", lease_ms=_LEASE_MS, held=held, task_ids=tasks, ended=2**40
    )
    pulse = await storage.heartbeat(beat)
    await harness.register("executor-1", lease_ms=60_000)
    first, second = await storage.executors(10)
    check((first.executor_id, first.task_ids) == ("executor-1", None), f"{first} is wrong")
    check(second.beat_at is not None and second.started_at is not None, "no beat is told")
    check(second.started_at == started_at, "it started twice")
    # The instant of a beat may differ from what the beat was told by the time that this took.
    check(abs((second.beat_at or 0) - pulse.now) < _LEASE_MS, f"{second} did not beat then")
    expected = ListedExecutor(
        executor_id="executor-2",
        lease_expires_at=(second.beat_at or 0) + _LEASE_MS,
        task_ids=tasks,
        started_at=started_at,
        beat_at=second.beat_at,
        held_count=1,
        ended_count=2**40,
    )
    check(second == expected, f"listed as {second}")
    check(await storage.executors(1) == [first], "the limit is not kept")
    check(await storage.executors(0) == [], "no executor is no executor")
    await storage.sign_off("executor-1")
    await storage.orphans(10)
    check([each.executor_id for each in await storage.executors(9)] == ["executor-2"], "both left")


async def check_the_backlog_is_counted(harness: Harness) -> None:
    """Ready rows by task and first start, failures since an instant, sleepers, what is new."""
    storage = harness.storage
    old, bad, good = await harness.running(3)
    await _fail(harness, old)
    await harness.advance(100)
    since = await storage.now()
    await _fail(harness, bad)
    await harness.complete(good)
    ready = await harness.insert_roots(2) + await harness.insert_roots(1, task_id="other")
    await harness.insert_roots(1)
    sleeper = harness.records.sleeper(await storage.now(), "bell")
    await storage.insert([sleeper])
    found = await storage.backlog(100, since=since, id_from=ready[0].execution_id)
    expected = Backlog(
        ready={"task": (3, ready[0].start_at), "other": (1, ready[2].start_at)},
        failed={"task": {"failed": 1}},
        sleeping=1,
        created=5,
        finished=0,
    )
    check(found == expected, f"the backlog is {found}")
    await harness.complete(*(await harness.claim(limit=2)).records)
    found = await storage.backlog(100, since=since, id_from=ready[0].execution_id)
    check((found.created, found.finished) == (5, 2), f"the backlog is {found}")
    bounded = await storage.backlog(1, since=0, id_from="")
    check(sum(number for number, _ in bounded.ready.values()) == 1, f"{bounded} has no bound")
    check((bounded.sleeping, bounded.created) == (1, 1), f"{bounded} has no bound")
    check(bounded.failed == {"task": {"failed": 1}}, f"{bounded} has no bound")


async def _fail(harness: Harness, *rows: ExecutionRecord) -> None:
    now = await harness.storage.now()
    await harness.apply_all(
        *[law.fail(row, status="failed", error=FAILED, now=now) for row in rows]
    )


CHECKS = (
    check_executors_are_listed_as_they_beat,
    check_the_backlog_is_counted,
)
