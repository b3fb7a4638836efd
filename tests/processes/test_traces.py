from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from durable_execution._observing import continuing
from tests.processes.arena import PATIENCE, ROOT
from tests.processes.traced import deadly_once, traced_executor

pytestmark = pytest.mark.processes

CALLER = f"00-{7:032x}-{9:016x}-01"


async def start(url: str, spans: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.processes.traced", url, str(spans), cwd=ROOT
    )


async def test_a_retry_and_a_recovery_in_other_processes_join_the_trace_of_the_caller(
    tmp_path: Path,
) -> None:
    url, spans = f"sqlite:///{tmp_path}/tasks.db", tmp_path / "spans.jsonl"
    victim = await start(url, spans)
    async with traced_executor(url, spans, capacity=0) as caller:
        with continuing({"traceparent": CALLER}):
            handle = await caller.enqueue_task(deadly_once, str(tmp_path / "marker"))
        async with asyncio.timeout(PATIENCE):
            assert await victim.wait() == -signal.SIGKILL
        heir = await start(url, spans)
        try:
            assert await handle.result(timeout=PATIENCE) == str(heir.pid)
        finally:
            heir.terminate()
            await heir.wait()

    found = [json.loads(line) for line in spans.read_text().splitlines()]
    assert {span["trace_id"] for span in found} == {f"{7:032x}"}
    (enqueue,) = [span for span in found if span["name"] == "enqueue deadlyOnce"]
    assert enqueue["parent"] == f"{9:016x}"
    runs = [span for span in found if span["name"] == "run deadlyOnce"]
    # The span of the attempt that was killed is lost with its process.
    assert [
        (span["pid"], span["durable_execution.attempt"], span["durable_execution.crash_count"])
        for span in runs
    ] == [(victim.pid, 0, 0), (heir.pid, 1, 1)]
    assert len({span["parent"] for span in runs}) == 1
    assert runs[0]["parent"] not in (None, enqueue["parent"])
    assert {span["messaging.message.id"] for span in found} == {handle.execution_id}
