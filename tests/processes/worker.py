"""A process of the tests: `python -m tests.processes.worker ROLE URL [options]`.

`work` runs tasks until SIGTERM, `enqueue` enqueues and prints what is durable, `ask` enqueues one
task at a time and prints how long each result took.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable

from durable_execution import DurableExecutor, ExecutorOptions, open_storage
from tests.processes.tasks import add_one, tasks

Role = Callable[[DurableExecutor, argparse.Namespace], Awaitable[None]]


async def work(executor: DurableExecutor, arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with executor:
        say("started")
        await stop.wait()
    say("stopped")


async def enqueue(executor: DurableExecutor, arguments: argparse.Namespace) -> None:
    async with executor:
        say("started")
        for number in range(arguments.count):
            handle = await executor.enqueue_task(add_one, number)
            say(f"{handle.execution_id} {number}")


async def ask(executor: DurableExecutor, arguments: argparse.Namespace) -> None:
    async with executor:
        say("started")
        for number in range(arguments.count):
            begun = time.perf_counter()
            handle = await executor.enqueue_task(add_one, number)
            assert await handle.result() == number + 1
            say(f"{time.perf_counter() - begun:.6f}")


ROLES: dict[str, Role] = {"work": work, "enqueue": enqueue, "ask": ask}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("url")
    parser.add_argument("--capacity", type=int, default=100)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--grace", type=float, default=5)
    parser.add_argument("--crashes", type=int, default=1000)
    parser.add_argument("--lease", type=float, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    options = ExecutorOptions(
        lease=arguments.lease,
        max_concurrent_task_executions=arguments.capacity if arguments.role == "work" else 0,
        max_crash_recoveries=arguments.crashes,
        shutdown_timeout=arguments.grace,
    )
    executor = DurableExecutor(open_storage(arguments.url), options)
    executor.include(tasks)
    asyncio.run(ROLES[arguments.role](executor, arguments))


if __name__ == "__main__":
    main()
