"""A process of the tests: `python -m tests.processes.worker ROLE URL [options]`.

`work` runs tasks until SIGTERM, `enqueue` enqueues and prints what is durable, `ask` enqueues one
task at a time and prints how long each result took, `watch` prints the changes of one execution.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable

from durable_execution import DurableExecutor, ExecutorOptions, Storage, open_storage
from durable_execution._engine.clock import wall_clock
from durable_execution._engine.surroundings import Surroundings
from tests.processes.blocking import blocking
from tests.processes.next_release import next_release
from tests.processes.outside import outside_at
from tests.processes.tasks import add_one, count_up, tasks

LOG_FORMAT = "%(levelname)s %(name)s %(message)s %(error)s"
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


async def watch(executor: DurableExecutor, arguments: argparse.Namespace) -> None:
    async with executor:
        say("started")
        handle = await executor.get_task_execution_handle(count_up, arguments.execution)
        async for change in handle.watch(after=arguments.after or None):
            if change.type == "progress":
                say(f"{change.id} progress {change.progress.message}")
            else:
                say(f"{change.id} status {change.execution.status}")


ROLES: dict[str, Role] = {"work": work, "enqueue": enqueue, "ask": ask, "watch": watch}


class Displaced(DurableExecutor):
    """An executor on a machine whose clock is off by some seconds."""

    def __init__(self, storage: Storage, options: ExecutorOptions, seconds_off: int) -> None:
        super().__init__(storage, options)
        self._surroundings = Surroundings(wall_clock=lambda: wall_clock() + 1000 * seconds_off)


def log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT, defaults={"error": ""}))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("url")
    parser.add_argument("--capacity", type=int, default=100)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--execution", default="")
    parser.add_argument("--after", default="")
    parser.add_argument("--grace", type=float, default=5)
    parser.add_argument("--crashes", type=int, default=1000)
    parser.add_argument("--lease", type=float, required=True)
    parser.add_argument("--stall", type=float, default=60)
    parser.add_argument("--clock-off", type=int, default=0, help="seconds")
    parser.add_argument("--app", default="", help="where an app takes attempts")
    parser.add_argument("--callback-lease", type=float, default=60)
    parser.add_argument("--release", choices=("this", "next"), default="this")
    arguments = parser.parse_args()
    log_to_stderr()
    options = ExecutorOptions(
        lease=arguments.lease,
        loop_stall_timeout=arguments.stall,
        max_concurrent_task_executions=arguments.capacity if arguments.role == "work" else 0,
        max_crash_recoveries=arguments.crashes,
        shutdown_timeout=arguments.grace,
    )
    executor = Displaced(open_storage(arguments.url), options, arguments.clock_off)
    executor.include(tasks)
    executor.include(blocking)
    if arguments.app:
        outside_at(executor, arguments.app, arguments.callback_lease)
    if arguments.release == "next":
        executor.include(next_release)
    asyncio.run(ROLES[arguments.role](executor, arguments))


if __name__ == "__main__":
    main()
