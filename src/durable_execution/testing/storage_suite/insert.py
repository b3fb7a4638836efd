"""Inserting: exact rows, harmless repeats, unique sleeping ids, all or nothing."""

from __future__ import annotations

import msgspec

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryPolicy
from durable_execution.errors import DuplicateSleepingIdError, StorageError
from durable_execution.testing.storage_suite.harness import Harness, check, check_same, ids

_FAR = 4_102_444_800_000 * 20
"""An instant well past the year 3000: larger than 32 bits, in every unit."""


async def check_insert_keeps_every_field(harness: Harness) -> None:
    """A row comes back as it was inserted, field by field."""
    now = await harness.storage.now()
    plain = harness.records.root(now)
    parent = harness.records.root(now)
    child = harness.records.child(parent, now, index=7, is_finalize=True)
    rich = msgspec.structs.replace(
        child,
        is_only_child=True,
        retry=RetryPolicy(
            max_retries=1000, base_delay_ms=1, delay_multiplier=1.0 / 3, max_delay_ms=86_400_000
        ),
        sleep_before_run_ms=5,
        are_children_sequential=True,
        attempt=3,
        crash_count=2,
    )
    sleeper = harness.records.sleeper(now, "wake me: ü 雪 😀")
    await harness.storage.insert([plain, parent, rich, sleeper])
    await harness.expect(plain, parent, rich, sleeper)


async def check_insert_keeps_payloads_exact(harness: Harness) -> None:
    """Payloads are bytes: nothing is added, cut, or read."""
    now = await harness.storage.now()
    payloads = [
        b"",
        b"\0",
        b"\0\xff\xfe" * 3,
        '"ü 雪 😀"'.encode(),
        b"\\'\"%s?:name$1",
        b"x" * (1 << 20),
        bytes(range(256)) * 4096,
    ]
    rows = [harness.records.root(now, input=payload) for payload in payloads]
    await harness.storage.insert(rows)
    await harness.expect(*rows)
    await harness.register()
    claimed = await harness.claim()
    by_id = {row.execution_id: row for row in claimed.records}
    for row in rows:
        check(by_id[row.execution_id].input == row.input, "a claim returns other bytes")


async def check_insert_keeps_large_numbers(harness: Harness) -> None:
    """Instants, durations and counters may be large."""
    row = msgspec.structs.replace(
        harness.records.root(_FAR),
        timeout_ms=100 * 365 * 86_400_000,
        fence=2**40,
        attempt=2**31 - 1,
        index_in_parent=2**31 - 1,
    )
    await harness.storage.insert([row])
    await harness.expect(row)


async def check_insert_repeated_is_harmless(harness: Harness) -> None:
    """An insert whose answer was lost is sent again: what happened since stays."""
    now = await harness.storage.now()
    root, sleeper = harness.records.root(now), harness.records.sleeper(now, "once")
    await harness.storage.insert([root, sleeper])
    await harness.register()
    (running,) = (await harness.claim()).records
    fresh = harness.records.root(now)
    await harness.storage.insert([root, sleeper, fresh])
    await harness.expect(running, sleeper, fresh)


async def check_insert_ignores_the_later_of_two_equal_ids(harness: Harness) -> None:
    """An id twice in one batch is one row."""
    now = await harness.storage.now()
    row = harness.records.root(now)
    await harness.storage.insert([row, msgspec.structs.replace(row, input=b"other")])
    await harness.expect(row)


async def check_insert_refuses_a_taken_sleeping_id(harness: Harness) -> None:
    """A sleeping id is unique for ever, over all tasks, and nothing of the batch is inserted."""
    now = await harness.storage.now()
    first = harness.records.sleeper(now, "taken", task_id="one")
    await harness.storage.insert([first])
    await _expect_refused(harness, "taken")
    await harness.cancel(first)
    await _expect_refused(harness, "taken")


async def check_insert_refuses_two_equal_sleeping_ids(harness: Harness) -> None:
    """Two new rows cannot share a sleeping id either."""
    now = await harness.storage.now()
    rows = [harness.records.sleeper(now, "both") for _ in range(2)]
    await _expect_duplicate(harness, rows, "both")
    check(await harness.storage.get(ids(rows)) == [None, None], "a refused batch left a row")


async def check_insert_of_nothing(harness: Harness) -> None:
    """An empty batch is no error."""
    await harness.storage.insert([])
    check((await harness.storage.joinable(frozenset({"task"}), 10)) == [], "rows came from nowhere")


async def check_insert_of_a_large_batch(harness: Harness) -> None:
    """A batch of 1,000 rows is stored whole."""
    rows = await harness.insert_roots(1000)
    await harness.expect(*rows)


async def check_insert_snapshots_do_not_change(harness: Harness) -> None:
    """A record that was handed out stays as it was while the row moves on."""
    (row,) = await harness.insert_roots()
    before = await harness.read(row)
    await harness.register()
    await harness.claim()
    check_same(before, row)
    check((await harness.read(row)).status == "running", "the row itself did not move")


async def _expect_refused(harness: Harness, unique_id: str) -> None:
    now = await harness.storage.now()
    rows = [
        harness.records.root(now),
        harness.records.sleeper(now, unique_id, task_id="two"),
        harness.records.root(now),
    ]
    await _expect_duplicate(harness, rows, unique_id)
    check(await harness.storage.get(ids(rows)) == [None] * 3, "a refused batch left a row")


async def _expect_duplicate(harness: Harness, rows: list[ExecutionRecord], unique_id: str) -> None:
    try:
        await harness.storage.insert(rows)
    except DuplicateSleepingIdError as error:
        check(error.sleeping_unique_id == unique_id, f"names {error.sleeping_unique_id!r}")
        check(isinstance(error, StorageError), "is no StorageError")
    else:
        raise AssertionError("a taken sleeping id was accepted")


CHECKS = (
    check_insert_keeps_every_field,
    check_insert_keeps_payloads_exact,
    check_insert_keeps_large_numbers,
    check_insert_repeated_is_harmless,
    check_insert_ignores_the_later_of_two_equal_ids,
    check_insert_refuses_a_taken_sleeping_id,
    check_insert_refuses_two_equal_sleeping_ids,
    check_insert_of_nothing,
    check_insert_of_a_large_batch,
    check_insert_snapshots_do_not_change,
)
