"""Where processes meet: one database, one effects log, and whoever was started on them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, open_storage
from tests.processes.blocking import blocking
from tests.processes.database import Database
from tests.processes.effects import VARIABLE, Effect, read_effects
from tests.processes.next_release import next_release
from tests.processes.tasks import tasks

ROOT = Path(__file__).parents[2]
LEASE = 2.0
"""Seconds: of tests in which a lease is lost. A machine may stand still for a second or more."""
SHORT_LEASE = pytest.mark.lease(LEASE)
CALM_LEASE = 30.0
"""Of all other tests: whatever happens, nobody is taken for dead."""
PATIENCE = 30.0
"""Seconds after which whatever a test waits for will not come any more."""
LOOK_INTERVAL = 0.01
NO_CRASH_BUDGET = 1000
OVER = 1
"""When leases ended that a test ended: long ago."""


class Process:
    """One process that was started."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def line(self) -> str:
        """Return the next line that the process says; empty once it has ended."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._process.stdout.readline()).decode().strip()

    async def lines(self) -> list[str]:
        """Return all that the process says until it ends."""
        found = []
        while line := await self.line():
            found.append(line)
        return found

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL it, unless it is dead."""
        if self.is_alive:
            self.signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended and return its exit code."""
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()


class Arena:
    """Starts processes on one new database and looks at what they leave there."""

    def __init__(self, folder: Path, database: Database, lease: float = CALM_LEASE) -> None:
        self.database = database
        self._lease = lease
        self._folder = folder
        self._effects = folder / "effects.log"
        self._processes: list[Process] = []
        os.environ[VARIABLE] = str(self._effects)

    async def start(self, role: str = "work", **options: float | str) -> Process:
        """Start a process and wait until its executor has started."""
        process = await self.launch(role, **options)
        assert await process.line() == "started", process.log.read_text()
        return process

    async def launch(self, role: str = "work", **options: float | str) -> Process:
        """Start a process without waiting for it."""
        log = self._folder / f"stderr-{len(self._processes)}.log"
        told = {"lease": self._lease, **options}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in told.items()]
        with log.open("wb") as stderr:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.processes.worker",
                role,
                self.database.url,
                *flags,
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
            )
        process = Process(child, log)
        self._processes.append(process)
        return process

    async def close(self) -> None:
        """Kill whoever lives."""
        for process in self._processes:
            await process.kill()
            await process.lines()

    def complaints(self) -> list[str]:
        """Return what no process may ever log."""
        words = ("database is locked", "Traceback", "CRITICAL", "was refused")
        return [
            line
            for process in self._processes
            for line in process.log.read_text().splitlines()
            if any(word in line for word in words)
        ]

    def observer(self, *, max_crash_recoveries: int = NO_CRASH_BUDGET) -> DurableExecutor:
        """Return an executor of this process that runs nothing itself, only enqueues and waits."""
        options = ExecutorOptions(
            max_concurrent_task_executions=0,
            lease=self._lease,
            max_crash_recoveries=max_crash_recoveries,
        )
        executor = DurableExecutor(open_storage(self.database.url), options)
        for each in (tasks, blocking, next_release):
            executor.include(each)
        return executor

    def effects(self, event: str = "begun") -> Sequence[Effect]:
        """Return what attempts left behind."""
        return [effect for effect in read_effects(self._effects) if effect.event == event]

    def rows(self, where: str = "1 = 1", *values: object) -> list[dict[str, Any]]:
        """Return rows straight from the database, in the order of their ids."""
        query = f"SELECT * FROM durable_task_executions WHERE {where} ORDER BY execution_id"
        return self.database.query(query, values)

    def end_leases(self) -> None:
        """Let the leases of executors be over, as time does; those that live beat again."""
        self.database.query(f"UPDATE durable_executors SET lease_expires_at = {OVER}")

    def is_anybody_dead(self) -> bool:
        """Whether `end_leases` was the end of an executor that nobody has found yet."""
        return bool(
            self.database.query(f"SELECT 1 FROM durable_executors WHERE lease_expires_at = {OVER}")
        )

    async def stop_between_writes(self, process: Process) -> None:
        """SIGSTOP a process, but not while it holds a lock: on SQLite nobody could end that."""
        while True:
            process.signal(signal.SIGSTOP)
            if not self.database.is_anybody_writing():
                return
            process.signal(signal.SIGCONT)
            await asyncio.sleep(LOOK_INTERVAL)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until processes have made the condition true."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                # Other processes have no way to wake this one.
                await asyncio.sleep(LOOK_INTERVAL)
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE:g} s in vain: {what}") from None


def report(measured: str) -> None:
    """Show a number to whoever runs pytest with `-rP`."""
    sys.stdout.write(f"{measured}\n")
