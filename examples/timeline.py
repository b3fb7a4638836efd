"""What the demo shows: one line for everything that happens, when it happens."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from durable_execution import TaskExecution


class Timeline:
    """Prints what happens, and keeps in mind what was seen."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._began = time.monotonic()
        self._marks: dict[str, object] = {}
        self._changed = asyncio.Event()
        self.executors: dict[str, set[str]] = defaultdict(set)
        """Which executors an execution was seen running on."""
        self.retried: set[str] = set()
        """What was seen in a second attempt, or waiting for one."""

    def say(self, who: str, what: str, style: str = "") -> None:
        """Print one line."""
        line = Text.assemble(
            (f"{time.monotonic() - self._began:5.1f} s  ", "dim"),
            (f"{who:<22}", "bold"),
            (what, style),
        )
        self._console.print(line, soft_wrap=True)

    def see(self, label: str, execution: TaskExecution[Any]) -> None:
        """Print what is new about an execution."""
        executor_id = execution.executor_id if execution.status == "running" else None
        mark = (execution.status, execution.attempt, executor_id)
        if self._marks.get(label) == mark:
            return
        self._marks[label] = mark
        if executor_id is not None:
            self.executors[label].add(executor_id)
        if execution.attempt:
            self.retried.add(label)
        self.say(label, *self._told(label, execution))
        self._changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something that was seen makes a condition true."""
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    def _told(self, label: str, execution: TaskExecution[Any]) -> tuple[str, str]:
        match execution.status:
            case "completed":
                return f"completed: {execution.output}", "green"
            case "failed" | "timed_out" | "finalize_failed" | "cancelled":
                return f"{execution.status}: {execution.error.message}", "red"
            case "ready" if execution.error is not None:
                return f"will be tried again: {execution.error.message}", "yellow"
            case "ready" if label in self.executors:
                return "is ready again: the executor that ran it is dead", "yellow"
            case "running" if execution.sleeping_task_unique_id is not None:
                return "sleeps until somebody wakes it, in no process", "cyan"
            case "running" if execution.attempt:
                return f"tried again, runs on {execution.executor_id}", "yellow"
            case "running" if len(self.executors[label]) > 1:
                return f"recovered, runs on {execution.executor_id}", "yellow"
            case "running":
                return f"runs on {execution.executor_id}", ""
            case "waiting_for_children":
                return f"waits for its {len(execution.children)} children", ""
            case status:
                return f"is {status.replace('_', ' ')}", ""
