"""One process of `durable-execution worker`: runs an executor until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Final, cast

from durable_execution import tune_garbage_collector
from durable_execution.cli.exits import FAILED
from durable_execution.cli.loading import load_executor
from durable_execution.cli.log_options import LogFormat, LogLevel
from durable_execution.cli.logs import configure_logging
from durable_execution.errors import StorageError
from durable_execution.executor import DurableExecutor

logger = logging.getLogger(__name__)

UNHEALTHY_FOR: Final = 60.0
"""Seconds without a lease, or with a service that has ended, after which the process ends."""
_WORD: Final = b"."


def main() -> None:
    """Run what the arguments name: the executor, level and format of the log, where to speak."""
    target, log_level, log_format, mouth = sys.argv[1:]
    os.set_inheritable(int(mouth), False)  # noqa: FBT003 - its only way
    configure_logging(cast("LogLevel", log_level), cast("LogFormat", log_format))
    if not asyncio.run(_run(load_executor(target), int(mouth))):
        raise SystemExit(FAILED)


async def _run(executor: DurableExecutor, mouth: int) -> bool:
    """Run until a signal; return whether one has come."""
    loop = asyncio.get_running_loop()
    is_over = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, is_over.set)
    supervisor = sys.stdin.fileno()
    os.set_blocking(supervisor, False)

    def look() -> None:
        # Nothing is ever written: what can be read is the end.
        if os.read(supervisor, 1) == b"":
            loop.remove_reader(supervisor)
            is_over.set()

    loop.add_reader(supervisor, look)
    if not await has_started(executor):
        return False
    async with executor:
        tune_garbage_collector()
        waits = {
            asyncio.create_task(_until_unhealthy(executor, mouth)),
            asyncio.create_task(is_over.wait()),
        }
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for waiting in pending:
            waiting.cancel()
    return is_over.is_set()


async def has_started(executor: DurableExecutor) -> bool:
    """Start, or say in one line what is wrong with the storage."""
    try:
        await executor.start()
    except StorageError as error:
        logger.error("the executor cannot start", extra={"error": str(error)})
        return False
    return True


async def _until_unhealthy(executor: DurableExecutor, mouth: int) -> None:
    """Wait until the executor has not been able to work for so long that another had better try.

    Until then, say each second that it is, to whoever watches this process.
    """
    healthy_at = time.monotonic()
    while time.monotonic() - healthy_at < UNHEALTHY_FOR:
        if executor.is_healthy:
            healthy_at = time.monotonic()
            with suppress(OSError):  # not heard for long, or not any more: it may stand still
                os.write(mouth, _WORD)
        await asyncio.sleep(1)


if __name__ == "__main__":
    main()
