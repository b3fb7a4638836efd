from __future__ import annotations

import time

import pytest

from durable_execution import open_storage
from durable_execution._core import transitions
from durable_execution.storage.protocol import Beat, Claim
from durable_execution.testing.records import RecordBuilder
from tests.processes.arena import LEASE, SHORT_LEASE, Arena, report, until

pytestmark = [pytest.mark.processes, SHORT_LEASE]

DYING = "de_dying"


async def test_a_parent_whose_joiner_died_joins_within_the_lease(arena: Arena) -> None:
    storage = open_storage(arena.database.url)
    await storage.open()
    try:
        builder = RecordBuilder()
        now = await storage.now()
        await storage.heartbeat(Beat(executor_id=DYING, lease_ms=60_000))
        await storage.insert([builder.root(now, task_id="nest", input=b'{"json":1}')])
        (parent,) = (await storage.claim(claim_of("nest"))).records
        child = builder.child(parent, now, task_id="add_one")
        run_output = b'{"json":"nested"}'
        await storage.apply(
            [transitions.spawn(parent, run_output=run_output, children=(child,), now=now)]
        )
        (child,) = (await storage.claim(claim_of("add_one"))).records
        await arena.start()
        # By the time that it has run something, it has looked for left over parents once.
        await storage.insert([builder.root(now, task_id="add_one", input=b'{"json":1}')])
        await until(lambda: bool(arena.rows("status = 'completed'")), "the worker works")

        # The child ends, and its executor dies before it joins the parent.
        await storage.apply([transitions.complete(child, output=b'{"json":2}', now=now)])
        await storage.heartbeat(Beat(executor_id=DYING, lease_ms=int(0.7 * LEASE * 1000)))
        died_at = time.monotonic()
    finally:
        await storage.close()

    await until(lambda: bool(arena.rows("task_id = 'nest' AND status = 'completed'")), "it joined")
    took = time.monotonic() - died_at
    report(f"joined {took:.2f} s after the crash with a lease of {LEASE:g} s")
    assert took < 2 * LEASE


def claim_of(task_id: str) -> Claim:
    return Claim(executor_id=DYING, task_ids=frozenset({task_id}), limit=1)
