"""Tasks that hold the event loop of one process, each in another way.

In the process `pid` they hold it, in any other they only take their time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from typing import TypedDict

from durable_execution import TaskContext, Tasks
from tests.processes.effects import leave

blocking = Tasks()


class Hold(TypedDict):
    """Seconds in the process `pid`, and in any other."""

    pid: int
    held: float
    elsewhere: float


@blocking.task
async def sleep_on_the_loop(ctx: TaskContext, hold: Hold) -> int:
    return await _hold(ctx, hold, time.sleep)


@blocking.task
async def hash_on_the_loop(ctx: TaskContext, hold: Hold) -> int:
    return await _hold(ctx, hold, _hash)


@blocking.task
async def keep_the_interpreter(ctx: TaskContext, hold: Hold) -> int:
    return await _hold(ctx, hold, _add_up)


async def _hold(ctx: TaskContext, hold: Hold, block: Callable[[float], object]) -> int:
    leave(ctx)
    if os.getpid() == hold["pid"]:
        block(hold["held"])
        leave(ctx, "let_go")
    else:
        await asyncio.sleep(hold["elsewhere"])
        leave(ctx, "ended")
    return os.getpid()


def _hash(seconds: float) -> None:
    """Spin in C without the interpreter's lock."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 200_000)


def _add_up(seconds: float) -> None:
    """Spin in C, in one call that keeps the interpreter's lock from all threads."""
    sample = 2_000_000
    begun = time.perf_counter()
    sum(range(sample))
    took = time.perf_counter() - begun
    sum(range(int(sample * seconds / took)))
