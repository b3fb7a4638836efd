"""A `durable-execution serve` process that the demo starts, kills and starts again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent


class ServerProcess:
    """Serves an application on a free port, and on the same one when started again.

    Args:
        target: `MODULE:APP`.
        log: The file that its log is appended to.
        environment: Variables besides those of this process.
    """

    def __init__(self, target: str, log: Path, **environment: str) -> None:
        self._target = target
        self._log = log
        self._environment = {**os.environ, **environment}
        self._process: Process | None = None
        self.origin = ""

    async def start(self) -> str:
        """Start it and return what it says once it answers.

        Raises:
            RuntimeError: It did not start; its log is in the message.
        """
        command = [sys.executable, "-m", "durable_execution.cli", "serve", self._target]
        port = self.origin.rpartition(":")[2] or "0"
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                "--port",
                port,
                cwd=ROOT,
                env=self._environment,
                stdout=PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        banner = (await self._process.stdout.readline()).decode().strip()
        found = re.search(r"http://[\d.]+:\d+", banner)
        if found is None:
            raise RuntimeError(f"{self._target} did not start:\n{self.log()}")
        self.origin = found[0]
        return banner.partition(": ")[2]

    async def end(self, sent: signal.Signals) -> int | None:
        """Send a signal, wait for the end and return the exit status."""
        if self._process is None:
            return None
        if self._process.returncode is None:
            self._process.send_signal(sent)
        return await self._process.wait()

    def log(self) -> str:
        """Return what it has logged."""
        return self._log.read_text()
