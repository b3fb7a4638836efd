"""Rows that are inserted claimed and have an idempotency key: all of them, or none."""

from __future__ import annotations

import asyncio

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.offspring import Label
from durable_execution._core.record import ExecutionRecord
from durable_execution.testing.storage_suite.harness import (
    EXECUTOR,
    Harness,
    check,
    check_same,
    ids,
)


async def check_rows_with_keys_may_be_inserted_claimed(harness: Harness) -> None:
    """A key is held by a row that was inserted claimed as by any other."""
    await harness.register()
    running = [*await _running(harness, "order"), *await _running(harness, "other", None)]
    check(await harness.storage.insert_claimed(running), "an executor with a lease was refused")
    await harness.expect(*running)
    check((await harness.claim()).records == (), "rows that run are claimed")
    again = _ready(harness, await harness.storage.now(), "order")
    (holder,) = await harness.storage.insert([again])
    check_same(holder, running[0])
    ready = msgspec.structs.replace(
        running[1], status="ready", fence=0, executor_id=None, started_at=None, expires_at=None
    )
    # The answer was lost, and it is repeated as an ordinary one.
    check(await harness.storage.insert([ready]) == [None], "a row was answered with itself")
    await harness.expect(*running)
    await harness.complete(*running)


async def check_nothing_is_inserted_claimed_whose_key_is_held(harness: Harness) -> None:
    """All or none: by a row that exists, whatever became of it, or by one of the same batch."""
    await harness.register()
    first = _ready(harness, await harness.storage.now(), "ready")
    await harness.storage.insert([first])
    (done,) = await _running(harness, "done")
    await harness.storage.insert_claimed([done])
    await harness.complete(done)
    for keys in (["new", "ready"], ["done", None], [None, "new", "new"]):
        rows = await _running(harness, *keys)
        check(not await harness.storage.insert_claimed(rows), f"{keys} were let in")
        check(await harness.storage.get(ids(rows)) == [None] * len(rows), "rows were inserted")
    await harness.expect(first, await harness.read(done))
    check(await harness.storage.insert_claimed(await _running(harness, "new")), "it is not free")


async def check_nothing_with_a_key_is_inserted_claimed_without_a_lease(harness: Harness) -> None:
    """Neither its rows nor its keys are taken."""
    await harness.register("de_over", lease_ms=1)
    await harness.advance(2)
    for executor_id in ("de_unknown", "de_over"):
        rows = await _running(harness, "order", None, executor_id=executor_id)
        check(not await harness.storage.insert_claimed(rows), f"{executor_id} was let in")
        check(await harness.storage.get(ids(rows)) == [None, None], "rows were inserted")
    ready = _ready(harness, await harness.storage.now(), "order")
    check(await harness.storage.insert([ready]) == [None], "the key is held by a row that is not")


async def check_starts_with_one_key_at_once(harness: Harness) -> None:
    """Of many that start at the same moment with one key, on two storages, one does."""
    await harness.register()
    storages = [harness.storage, await harness.second()]
    rows = [await _running(harness, "race", None) for _ in range(10)]
    answers = await asyncio.gather(
        *[storages[number % 2].insert_claimed(pair) for number, pair in enumerate(rows)]
    )
    check(sum(answers) == 1, f"{sum(answers)} started")
    (won,) = [pair for pair, is_inserted in zip(rows, answers, strict=True) if is_inserted]
    found = await harness.storage.get([row.execution_id for pair in rows for row in pair])
    check(
        ids([row for row in found if row is not None]) == ids(won),
        "not exactly its rows were inserted",
    )


async def _running(
    harness: Harness, *keys: str | None, executor_id: str = EXECUTOR
) -> list[ExecutionRecord]:
    now = await harness.storage.now()
    return [
        law.claimed(_ready(harness, now, key), executor_id=executor_id, now=now) for key in keys
    ]


def _ready(harness: Harness, now: int, key: str | None) -> ExecutionRecord:
    return harness.records.root(now, label=Label(idempotency_key=key))


CHECKS = (
    check_rows_with_keys_may_be_inserted_claimed,
    check_nothing_is_inserted_claimed_whose_key_is_held,
    check_nothing_with_a_key_is_inserted_claimed_without_a_lease,
    check_starts_with_one_key_at_once,
)
