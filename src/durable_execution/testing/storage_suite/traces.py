"""Traces: each row keeps its own, beside rows that have none. A long one, too."""

from __future__ import annotations

import msgspec

from durable_execution._core import transitions as law
from durable_execution._core.offspring import Label
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.search import Search
from durable_execution.testing.storage_suite.harness import (
    EXECUTOR,
    Harness,
    check,
    check_same,
    ids,
)


def _traceparent(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def _roots(harness: Harness, now: int) -> list[ExecutionRecord]:
    """Rows of two traces, one with the longest state, and some of none between them."""
    state = "=".join(("k" * 255, "v" * 256))
    traces = (None, _traceparent(1), None, f"{_traceparent(2)} {state}")
    return [harness.records.root(now, traceparent=each) for each in traces]


async def check_traces_are_kept(harness: Harness) -> None:
    """Inserted together, each row has its own trace or none, also once it is claimed."""
    rows = _roots(harness, await harness.storage.now())
    await harness.storage.insert(rows)
    await harness.expect(*rows)
    await harness.register()
    claimed = {row.execution_id: row for row in (await harness.claim()).records}
    for row in rows:
        found = claimed[row.execution_id].traceparent
        check(found == row.traceparent, f"a claim returned the trace {found}")


async def check_traces_of_rows_inserted_claimed(harness: Harness) -> None:
    """The same for rows that start with their insert."""
    now = await harness.storage.now()
    await harness.register()
    rows = [law.claimed(row, executor_id=EXECUTOR, now=now) for row in _roots(harness, now)]
    await harness.storage.insert_claimed(rows)
    await harness.expect(*rows)


async def check_traces_of_keyed_and_sleeping_rows(harness: Harness) -> None:
    """The same for rows that are inserted in other ways."""
    now = await harness.storage.now()
    label = Label(idempotency_key="key", tags=(("a", "1"),))
    keyed = harness.records.root(now, label=label, traceparent=_traceparent(3))
    sleeper = msgspec.structs.replace(
        harness.records.sleeper(now, "bell"), traceparent=_traceparent(4)
    )
    await harness.storage.insert([keyed, sleeper])
    await harness.expect(keyed, sleeper)


async def check_traces_of_children(harness: Harness) -> None:
    """Children of several parents, inserted together, each have their parent's trace."""
    now = await harness.storage.now()
    await harness.storage.insert(_roots(harness, now))
    await harness.register()
    parents = (await harness.claim()).records
    families = [harness.records.children(parent, now, 2) for parent in parents]
    await harness.apply_all(
        *(
            law.spawn(parent, run_output=b"1", children=children, now=now)
            for parent, children in zip(parents, families, strict=True)
        )
    )
    children = [child for family in families for child in family]
    await harness.expect(*children)
    traces = [child.traceparent for child in await harness.storage.children_of(ids(parents))]
    expected = [parent.traceparent for parent in parents for _ in range(2)]
    check(traces == expected, f"the traces of the children are {traces}")


async def check_traces_are_left_out_of_lists(harness: Harness) -> None:
    """Without payloads a row is read without its trace."""
    row = harness.records.root(await harness.storage.now(), traceparent=_traceparent(5))
    await harness.storage.insert([row])
    (listed,) = (await harness.storage.search(Search(limit=10))).records
    check(listed.traceparent is None, "a list reads traces")
    (whole,) = (await harness.storage.search(Search(limit=10, with_payloads=True))).records
    check_same(whole, row)


CHECKS = (
    check_traces_are_kept,
    check_traces_of_rows_inserted_claimed,
    check_traces_of_keyed_and_sleeping_rows,
    check_traces_of_children,
    check_traces_are_left_out_of_lists,
)
