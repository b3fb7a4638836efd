"""The outside effects of attempts: a file that every process appends to, one line for each.

A line of this size is written whole or not at all, whatever kills its writer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from durable_execution import TaskContext

VARIABLE = "EFFECTS_LOG"


class Effect(NamedTuple):
    """What an attempt left behind, and when by the clock that all processes share."""

    execution_id: str
    task_id: str
    attempt: int
    pid: int
    event: str
    at: float


def leave(ctx: TaskContext, event: str = "begun") -> None:
    """Append a line about this attempt."""
    line = f"{ctx.execution_id} {ctx.task_id} {ctx.attempt} {os.getpid()} {event} {time.time()}\n"
    log = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(log, line.encode())
    finally:
        os.close(log)


def read_effects(log: Path) -> Sequence[Effect]:
    """Return all that was left so far."""
    if not log.exists():
        return ()
    lines = (line.split() for line in log.read_text().splitlines())
    return [
        Effect(each[0], each[1], int(each[2]), int(each[3]), each[4], float(each[5]))
        for each in lines
    ]
