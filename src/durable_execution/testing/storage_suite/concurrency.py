"""Concurrency: two storages on the same data, and many calls at once."""

from __future__ import annotations

import asyncio
from collections import Counter

from durable_execution._core import transitions as law
from durable_execution.storage.protocol import Beat, Pulse
from durable_execution.testing.storage_suite.harness import (
    EXECUTOR,
    FAILED,
    LEASE_MS,
    Harness,
    check,
    check_same,
)


async def check_second_storage_sees_the_rows(harness: Harness) -> None:
    """What one storage wrote, the other reads at once, and the other way round."""
    second = await harness.second()
    (row,) = await harness.insert_roots()
    (seen,) = await second.get([row.execution_id])
    check_same(seen, row)
    other = harness.records.root(await second.now())
    await second.insert([other])
    await harness.expect(other)


async def check_claims_at_once_share_the_rows(harness: Harness) -> None:
    """However many claim at once, through whichever storage: each row has one owner."""
    storages = (harness.storage, await harness.second())
    rows = await harness.insert_roots(200)
    names = [f"executor-{number}" for number in range(8)]
    for name in names:
        await harness.register(name)

    async def drain(number: int) -> list[tuple[str, str]]:
        taken: list[tuple[str, str]] = []
        mine = Harness(storages[number % 2], advance=harness.advance, open_second=harness.second)
        while records := (await mine.claim(executor_id=names[number], limit=7)).records:
            taken += [(row.execution_id, names[number]) for row in records]
        return taken

    drained = await asyncio.gather(*[drain(number) for number in range(len(names))])
    owners = dict(pair for taken in drained for pair in taken)
    counts = Counter(execution_id for taken in drained for execution_id, _ in taken)
    check(set(counts.values()) == {1}, "a row was given to two executors")
    check(len(counts) == len(rows), "not every row was claimed")
    for row in await harness.storage.get(list(owners)):
        check(row and row.executor_id == owners[row.execution_id], "the row names another owner")
        check(row and row.fence == 1, "a fence was raised twice")


async def check_finishes_at_once_match_once(harness: Harness) -> None:
    """Of many finishes of one row at the same moment, one matches, and its result is kept."""
    storages = (harness.storage, await harness.second())
    (row,) = await harness.running()
    now = await harness.storage.now()
    moves = [law.complete(row, output=b"%d" % number, now=now) for number in range(10)]
    answers = await asyncio.gather(
        *[storages[number % 2].apply([move]) for number, move in enumerate(moves)]
    )
    winners = [number for number, answer in enumerate(answers) if answer.matched == (True,)]
    check(len(winners) == 1, f"{len(winners)} finishes matched")
    check((await harness.read(row)).output == b"%d" % winners[0], "another one's result is kept")


async def check_count_offs_at_once_are_all_counted(harness: Harness) -> None:
    """Children that end at the same moment are each counted once, and one makes joinable."""
    storages = (harness.storage, await harness.second())
    parent, _ = await harness.waiting(40)
    children = (await harness.claim()).records
    now = await harness.storage.now()
    answers = await asyncio.gather(
        *[
            storages[number % 2].apply(
                [
                    law.complete(child, output=b"1", now=now)
                    if number % 3
                    else law.fail(child, status="failed", error=FAILED, now=now)
                ]
            )
            for number, child in enumerate(children)
        ]
    )
    joinable = [row for answer in answers for row in answer.joinable]
    check(len(joinable) == 1, f"{len(joinable)} batches made the parent joinable")
    check((await harness.read(parent)).active_children_count == 0, "children were not counted")
    check_same(joinable[0], await harness.read(parent))


async def check_inserts_at_once_keep_sleeping_ids_unique(harness: Harness) -> None:
    """Of many inserts of one sleeping id at the same moment, one succeeds."""
    storages = (harness.storage, await harness.second())
    now = await harness.storage.now()
    sleepers = [harness.records.sleeper(now, "race") for _ in range(10)]
    answers = await asyncio.gather(
        *[storages[number % 2].insert([row]) for number, row in enumerate(sleepers)],
        return_exceptions=True,
    )
    check(sum(answer == [None] for answer in answers) == 1, f"inserts answered {answers}")
    found = await harness.storage.get([row.execution_id for row in sleepers])
    check(sum(row is not None for row in found) == 1, "a refused sleeper exists")


async def check_sibling_beats_in_another_thread(harness: Harness) -> None:
    """A sibling works on an event loop of its own, and its end leaves the storage open."""
    row, lost = await harness.running(2)
    await harness.complete(lost)
    held = tuple((kept.execution_id, kept.fence) for kept in (row, lost))
    beat = Beat(executor_id=EXECUTOR, lease_ms=10 * LEASE_MS, held=held)

    async def beat_once() -> Pulse:
        sibling = harness.storage.sibling()
        await sibling.open()
        try:
            return await sibling.heartbeat(beat)
        finally:
            await sibling.close()

    pulse = await asyncio.to_thread(asyncio.run, beat_once())
    check(pulse.was_known and pulse.lost == (lost.execution_id,), f"the beat answered {pulse}")
    await harness.advance(2 * LEASE_MS)
    check(await harness.storage.orphans(10) == [], "the beat did not extend the lease")
    await harness.complete(row)


async def check_reopening_keeps_the_rows(harness: Harness) -> None:
    """Opening and closing are idempotent, and a storage that is opened again has its rows."""
    (row,) = await harness.running()
    await harness.storage.open()
    await harness.expect(row)
    second = await harness.second()
    await second.close()
    await second.close()
    await second.open()
    (seen,) = await second.get([row.execution_id])
    check_same(seen, row)


async def check_listening_ends(harness: Harness) -> None:
    """Listening can be ended, twice too, and listeners do not disturb the verbs."""
    stop = harness.storage.listen(lambda: None)
    again = harness.storage.listen(lambda: None)
    (row,) = await harness.insert_roots()
    stop()
    stop()
    again()
    await harness.expect(row)


CHECKS = (
    check_second_storage_sees_the_rows,
    check_claims_at_once_share_the_rows,
    check_finishes_at_once_match_once,
    check_count_offs_at_once_are_all_counted,
    check_inserts_at_once_keep_sleeping_ids_unique,
    check_sibling_beats_in_another_thread,
    check_reopening_keeps_the_rows,
    check_listening_ends,
)
