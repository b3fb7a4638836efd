"""A real `durable-execution serve` process for tests."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT = 20.0
COMMAND = (sys.executable, "-m", "durable_execution.cli", "serve")

APPLICATION = """
import asyncio
from pathlib import Path

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, open_storage
from durable_execution.orpc import RPCHandler, rpc
from durable_execution.server import create_executor_app

executor = DurableExecutor(
    open_storage("sqlite:///tasks.db"), ExecutorOptions(lease=2, shutdown_timeout=30)
)

@executor.task
async def work(ctx: TaskContext, seconds: float) -> str:
    Path("began").touch()
    await asyncio.sleep(seconds)
    Path("ended").touch()
    return "worked"

@rpc.handler
async def enqueue(ctx: object, seconds: float) -> str:
    return (await executor.enqueue_task(work, seconds)).execution_id

@rpc.handler
async def hang(ctx: object) -> None:
    Path("hangs").touch()
    await asyncio.Event().wait()

app = create_executor_app(executor, {"/rpc": RPCHandler({"enqueue": enqueue, "hang": hang})})
"""


@dataclass(frozen=True)
class Served:
    """A server process that answers."""

    process: subprocess.Popen[str]
    banner: str
    folder: Path

    @property
    def url(self) -> str:
        found = re.search(r"http://[^\s,]+", self.banner)
        assert found is not None, self.banner
        return found[0]

    def wait_for_file(self, name: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, f"{name} was not written"
            time.sleep(0.02)  # another process writes it: there is nothing to wait on

    def end(self, *signals: signal.Signals) -> int:
        for each in signals:
            self.process.send_signal(each)
            time.sleep(0.3)  # two signals at once are one for the kernel
        return self.process.wait(timeout=START_TIMEOUT)


@contextmanager
def served(folder: Path, *arguments: str, target: str = "served_app:app") -> Iterator[Served]:
    """Serve an application of this folder until the block ends."""
    with (
        (folder / "log").open("w+") as log,
        subprocess.Popen(
            [*COMMAND, target, "--port", "0", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            banner = process.stdout.readline()
            if not banner:
                log.seek(0)
                raise AssertionError(f"the server did not start:\n{log.read()}")
            yield Served(process, banner, folder)
        finally:
            process.kill()


def refused(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `serve` where it must not get as far as serving."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT,
        check=False,
    )
