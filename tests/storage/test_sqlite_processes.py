from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from durable_execution.storage import open_storage
from durable_execution.storage.protocol import Beat, Claim
from durable_execution.testing.records import RecordBuilder

pytestmark = pytest.mark.processes

WRITER = """
import asyncio, sys
from durable_execution.storage import open_storage
from durable_execution.testing.records import RecordBuilder

async def write(storage, builder):
    while True:
        rows = builder.roots(1, 7)
        await storage.insert(rows)
        print(*[row.execution_id for row in rows], flush=True)

async def main(url, writers):
    storage = open_storage(url)
    await storage.open()
    builder = RecordBuilder()
    await asyncio.gather(*(write(storage, builder) for _ in range(int(writers))))

asyncio.run(main(*sys.argv[1:]))
"""

CLAIMER = """
import asyncio, sys
from durable_execution.storage import open_storage
from durable_execution.storage.protocol import Beat, Claim

async def main(url, name):
    storage = open_storage(url)
    await storage.open()
    await storage.heartbeat(Beat(executor_id=name, lease_ms=60_000))
    claim = Claim(executor_id=name, task_ids=frozenset({"task"}), limit=3)
    while records := (await storage.claim(claim)).records:
        print(*[row.execution_id for row in records], flush=True)
    await storage.close()

asyncio.run(main(*sys.argv[1:]))
"""

KEYED = """
import asyncio, sys
from durable_execution._core.offspring import Label
from durable_execution.storage import open_storage
from durable_execution.testing.records import RecordBuilder

async def main(url, name):
    storage = open_storage(url)
    await storage.open()
    builder = RecordBuilder(name)
    for number in range(200):
        row = builder.root(1, label=Label(idempotency_key=f"key {number}"))
        (holder,) = await storage.insert([row])
        print((holder or row).execution_id, flush=True)
    await storage.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def _start(program: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("writers", [1, 5])  # those of five share their commits
async def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path, writers: int) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    process = await _start(WRITER, url, str(writers))
    assert process.stdout is not None
    acknowledged: list[str] = []
    while len(acknowledged) < 70:
        acknowledged += (await process.stdout.readline()).decode().split()
    process.kill()
    rest, _ = await process.communicate()
    complete_lines = rest.decode().splitlines(keepends=True)
    acknowledged += [
        word for line in complete_lines if line.endswith("\n") for word in line.split()
    ]
    storage = open_storage(url)
    await storage.open()
    found = await storage.get(acknowledged)
    assert [row.execution_id for row in found if row is not None] == acknowledged
    await storage.heartbeat(Beat(executor_id="heir", lease_ms=60_000))
    claim = Claim(executor_id="heir", task_ids=frozenset({"task"}), limit=10_000)
    inherited = await storage.claim(claim)
    assert {row.execution_id for row in inherited.records} >= set(acknowledged)
    assert len(inherited.records) % 7 == 0, "half a batch was kept"
    await storage.close()


async def test_processes_share_the_rows_without_overlap(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    storage = open_storage(url)
    await storage.open()
    rows = RecordBuilder().roots(1, 300)
    await storage.insert(rows)
    processes = [await _start(CLAIMER, url, f"executor-{number}") for number in range(3)]
    outputs = [(await process.communicate())[0].decode().split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    claimed = [execution_id for output in outputs for execution_id in output]
    assert sorted(claimed) == [row.execution_id for row in rows]
    owners = {
        execution_id: f"executor-{number}"
        for number, output in enumerate(outputs)
        for execution_id in output
    }
    for row in await storage.get(claimed):
        assert row is not None
        assert row.executor_id == owners[row.execution_id]
    await storage.close()


async def test_processes_that_enqueue_the_same_keys_hear_of_the_same_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    processes = [await _start(KEYED, url, f"p{number}_") for number in range(3)]
    answers = [(await process.communicate())[0].decode().split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert answers[0] == answers[1] == answers[2]
    assert len(set(answers[0])) == 200
    storage = open_storage(url)
    await storage.open()
    assert await storage.counts() == {"task": {"ready": 200}}
    await storage.close()
