"""How many executions there are, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass

from durable_execution.executor import DurableExecutor


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts."""

    ready: int
    oldest_ready_ms: int


async def figures_of(executor: DurableExecutor) -> Figures:
    """Ask for them."""
    counts = await executor.count_task_executions()
    return Figures(sum(each.by_status.get("ready", 0) for each in counts.values()), 0)
