"""Reopening a tree on real databases by a process that is killed, and its bound."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from durable_execution._core import transitions
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import Family, Reopening
from durable_execution.errors import StoredError
from durable_execution.storage import Storage, open_storage
from durable_execution.storage._reopening import families_among, rows_to_reopen
from durable_execution.storage.protocol import Beat, Claim
from durable_execution.testing.records import RecordBuilder

STOP = StoredError(error_type="cancelled", message="stop")
KILLED = 17

REOPEN = """
import asyncio, os, sys
from durable_execution.storage import open_storage

url, root_id, left = sys.argv[1], sys.argv[2], int(sys.argv[3])

def count(statement):
    global left
    left -= 1
    if left == 0:
        os._exit(17)  # between two statements, as kill -9 would

async def main():
    global left
    storage = open_storage(url, on_statement=count, migrate=False)
    wanted, left = left, 10**9
    await storage.open()
    now = await storage.now()
    left = wanted
    await storage.reopen(root_id, now)

asyncio.run(main())
"""


async def cancelled_tree(storage: Storage) -> list[ExecutionRecord]:
    """Store a tree of three levels, in which one leaf has completed and the rest was cancelled."""
    records = RecordBuilder()
    now = await storage.now()
    await storage.heartbeat(Beat(executor_id="a", lease_ms=60_000))
    await storage.insert([records.root(now)])
    rows: list[ExecutionRecord] = []
    for width in (2, 2, 0):
        claim = Claim(executor_id="a", task_ids=frozenset({"task"}), limit=100)
        level = (await storage.claim(claim)).records
        rows += level
        for row in level if width else ():
            children = records.children(row, now, width)
            await storage.apply(
                [transitions.spawn(row, run_output=b"[]", children=children, now=now)]
            )
    await storage.apply([transitions.complete(rows[-1], output=b"[]", now=now)])
    (root,) = await storage.get([rows[0].execution_id])
    assert root is not None
    await storage.apply([transitions.cancel(root, error=STOP, now=now)])
    return rows


@pytest.mark.processes
@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
async def test_a_process_that_is_killed_while_it_retries_leaves_all_or_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = (
        f"sqlite:///{tmp_path}/tasks.db"
        if kind == "sqlite"
        else request.getfixturevalue(kind).new_url()
    )
    storage = open_storage(url)
    await storage.open()
    rows = await cancelled_tree(storage)
    ids = [row.execution_id for row in rows]
    before = await storage.get(ids)
    deaths = 0
    for statement in range(1, 100):
        arguments = [sys.executable, "-c", REOPEN, url, ids[0], str(statement)]
        code = subprocess.run(arguments, check=False, timeout=60).returncode
        after = await storage.get(ids)
        unfinished = [row for row in after if row is not None and not row.is_finished]
        assert len(unfinished) in (0, len(rows) - 1), f"a part was reopened: {unfinished}"
        if code == 0:
            assert unfinished, "nothing was reopened"
            break
        assert code == KILLED
        if unfinished:  # the commit itself may have gone through
            break
        assert after == before
        deaths += 1
    assert deaths >= 4, "it was not killed in between"
    await storage.close()


async def test_a_tree_that_is_too_large_is_refused_as_a_whole() -> None:
    records = RecordBuilder()
    root = finished(records.root(0), children=3)
    children = tuple(finished(each) for each in records.children(root, 0, 3))

    async def families_of(parent_ids: Sequence[str]) -> dict[str, Family]:
        assert list(parent_ids) in ([root.execution_id], [])
        return {root.execution_id: Family(children_count=3, failed=children)}

    assert await rows_to_reopen(root, families_of, now=5, limit=3) == "too_large"
    found = await rows_to_reopen(root, families_of, now=5, limit=4)
    assert isinstance(found, list)
    assert [each.before for each in found] == [root, *children]
    assert all(isinstance(each, Reopening) for each in found)


def test_families_know_the_newest_finalize_child_and_how_many_others_there_are() -> None:
    records = RecordBuilder()
    parent = records.root(0)
    failed = finished(records.child(parent, 0, index=1))
    finalizes = [records.child(parent, 0, index=index, is_finalize=True) for index in (7, 0)]
    families = families_among([*finalizes, failed], [(parent.execution_id, 3), ("other", 2)])
    assert families == {
        parent.execution_id: Family(children_count=3, failed=(failed,), finalize=finalizes[0]),
        "other": Family(children_count=2),
    }


def finished(record: ExecutionRecord, *, children: int = 0) -> ExecutionRecord:
    """Return the row cancelled, after it spawned so many children."""
    cancelled = transitions.cancelled_with_ancestor(record, error=STOP, now=1)
    if not children:
        return cancelled
    return msgspec.structs.replace(cancelled, waiting_for_children_at=1, children_count=children)
