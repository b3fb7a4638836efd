"""Sleepers: rows that nobody claims, and that expire."""

from __future__ import annotations

import msgspec

from durable_execution._core import transitions as law
from durable_execution.testing.storage_suite.harness import (
    CANCELLED,
    Harness,
    check,
    check_same,
    ids,
)


async def check_sleepers_expire(harness: Harness) -> None:
    """Sleeping rows are returned once `expires_at` has come, the earliest first."""
    now = await harness.storage.now()
    rows = [
        harness.records.sleeper(now, f"s{offset}", timeout_ms=offset)
        for offset in (30_000, 10_000, 20_000, 90_000)
    ]
    await harness.storage.insert(rows)
    (running,) = await harness.running()
    early = await harness.storage.expired_sleepers(10)
    check(early.records == (), "expired too early")
    check(early.next_expires_at == now + 10_000, f"asks to come back at {early.next_expires_at}")
    await harness.advance(30_000)
    due = await harness.storage.expired_sleepers(10)
    check(ids(due.records) == ids([rows[1], rows[2], rows[0]]), "not the expired, in order")
    check(due.next_expires_at == now + 90_000, f"asks to come back at {due.next_expires_at}")
    check_same(due.records[0], rows[1])
    some = await harness.storage.expired_sleepers(2)
    check(ids(some.records) == ids(rows[1:3]), "the limit does not hold")
    check(some.next_expires_at is None, "a full answer says to wait")
    none = await harness.storage.expired_sleepers(0)
    check(none.records == (), "a limit of 0 returned rows")
    await harness.expect(*rows, running)


async def check_sleepers_that_ended_do_not_expire(harness: Harness) -> None:
    """A sleeper that was woken or cancelled does not expire, and is woken once."""
    now = await harness.storage.now()
    woken, cancelled = (
        harness.records.sleeper(now, name, timeout_ms=1_000) for name in ("woken", "cancelled")
    )
    await harness.storage.insert([woken, cancelled])
    wake_up = law.wake_up(woken, output=b"1", error=None, now=now)
    await harness.apply_all(wake_up, law.cancel(cancelled, error=CANCELLED, now=now))
    await harness.advance(1_000)
    expired = await harness.storage.expired_sleepers(10)
    check(expired.records == (), "an ended sleeper expired")
    check(expired.next_expires_at is None, "an ended sleeper is waited for")
    again = msgspec.structs.replace(wake_up, counts_off=None)
    check((await harness.storage.apply([again])).matched == (False,), "woken twice")


CHECKS = (
    check_sleepers_expire,
    check_sleepers_that_ended_do_not_expire,
)
