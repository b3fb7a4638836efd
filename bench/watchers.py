"""What a thousand watchers cost: `python -m bench.watchers [STORAGE ...]`, half a minute for each.

The executions run in one process, their watchers are in another. Counted there: statements that
ask for something, and what its resident memory grew by. The latency is from when a task returned to
when its watchers had the finished execution in their hands, by the one clock of the machine.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.storages import Storages
from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    StatusChange,
    TaskContext,
    TaskExecutionHandle,
    Tasks,
    open_storage,
    task_to_enqueue,
)

WATCHERS = 1000
SETTLE, MEASURED = 3.0, 5.0
"""Seconds until all watchers have begun, and for which statements are counted."""
REPORT_PAUSE = 0.01
NO_QUERY = ("BEGIN", "START TRANSACTION", "SET ", "COMMIT", "PRAGMA", "ROLLBACK")


@dataclass
class Run:
    """How long a task runs, and whether it reports its progress meanwhile."""

    until: float
    reports: bool


@dataclass
class Found:
    """What one scene came to."""

    statements: float
    """Statements a second."""
    changes: float
    """Changes that a watcher was told a second."""
    kilobytes: float
    """Resident memory for each watcher."""
    latencies: list[float]


tasks = Tasks()


@tasks.task(timeout=600)
async def run(ctx: TaskContext, how: Run) -> float:
    while (left := how.until - time.time()) > 0:
        if how.reports:
            ctx.progress(min(1.0, max(0.0, 1 - left / 60)))
        await asyncio.sleep(REPORT_PAUSE if how.reports else left)
    return time.time()


def main() -> None:
    if sys.argv[1:2] == ["work"]:
        asyncio.run(work(sys.argv[2]))
        return
    table = Table(title=f"{WATCHERS} watchers of what runs in another process")
    for heading in ("storage", "executions", "progress", "statements/s", "changes/s", "KB each"):
        table.add_column(heading)
    table.add_column("finish to watcher: first, half, all (ms)")
    with Storages() as storages:
        for storage in sys.argv[1:] or ("sqlite", "postgres"):
            for executions, reports in ((1, False), (1, True), (WATCHERS, True)):
                with storages.place(storage, scale=1, minutes=1) as place:
                    found = measured(place.url, executions, reports=reports)
                late = sorted(found.latencies)
                table.add_row(
                    storage,
                    str(executions),
                    "yes" if reports else "no",
                    f"{found.statements:.1f}",
                    f"{found.changes:.2f}",
                    f"{found.kilobytes:.1f}",
                    ", ".join(f"{1000 * each:.0f}" for each in (late[0], median(late), late[-1])),
                )
    Console(width=120).print(table)


def measured(url: str, executions: int, *, reports: bool) -> Found:
    worker = subprocess.Popen([sys.executable, "-m", "bench.watchers", "work", url])
    try:
        return asyncio.run(_watch(url, executions, reports=reports))
    finally:
        worker.terminate()
        worker.wait()


async def work(url: str) -> None:
    executor = DurableExecutor(open_storage(url), ExecutorOptions())
    executor.include(tasks)
    async with executor:
        await asyncio.Event().wait()


async def _watch(url: str, executions: int, *, reports: bool) -> Found:
    said: list[str] = []
    options = ExecutorOptions(max_concurrent_task_executions=0)
    executor = DurableExecutor(open_storage(url, on_statement=said.append), options)
    executor.include(tasks)
    async with executor:
        how = Run(time.time() + 2 * SETTLE + MEASURED, reports)
        handles = await executor.enqueue_tasks([task_to_enqueue(run, how)] * executions)
        await _begun(handles)
        gc.collect()
        before = _resident()
        watchers = [Watcher(handles[place % executions]) for place in range(WATCHERS)]
        watching = [asyncio.ensure_future(each.watch()) for each in watchers]
        await asyncio.sleep(SETTLE)
        kilobytes = (_resident() - before) / WATCHERS
        said.clear()
        told = sum(each.told for each in watchers)
        await asyncio.sleep(MEASURED)
        statements = sum(not text.startswith(NO_QUERY) for text in said)
        told = sum(each.told for each in watchers) - told
        latencies = await asyncio.gather(*watching)
    return Found(statements / MEASURED, told / MEASURED / WATCHERS, kilobytes, latencies)


class Watcher:
    """One who watches, and counts what it is told."""

    def __init__(self, handle: TaskExecutionHandle[float]) -> None:
        self._handle = handle
        self.told = 0

    async def watch(self) -> float:
        """Return how long after the finish the news of it came."""
        async for change in self._handle.watch():
            self.told += 1
            if isinstance(change, StatusChange) and change.execution.status == "completed":
                return time.time() - change.execution.output
        raise AssertionError(f"{self._handle} did not complete")


async def _begun(handles: Sequence[TaskExecutionHandle[float]]) -> None:
    while (await handles[-1].get_execution()).status != "running":
        await asyncio.sleep(0.05)


def _resident() -> float:
    """Return the kilobytes of memory that the process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4.0


if __name__ == "__main__":
    main()
