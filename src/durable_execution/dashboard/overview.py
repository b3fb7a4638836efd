"""The overview: how the system does, now and over the last hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durable_execution.dashboard.charts import Chart, Points, chart_of
from durable_execution.dashboard.clock import now_ms
from durable_execution.dashboard.desk import Desk, Query
from durable_execution.dashboard.failures import FAILED
from durable_execution.dashboard.figures import figures_of
from durable_execution.dashboard.samples import INTERVAL_MS, KEPT
from durable_execution.storage.search import Search

NEWEST: Final = 6
"""Executions of each kind that the overview names."""


_MINUTE_MS: Final = 60_000
SHORTEST_AXIS_MS: Final = 600_000
"""What the charts cover from the start on: a line needs some room."""


async def overview_facts(desk: Desk, query: Query) -> Mapping[str, object]:
    """Take a sample if it is time to, and tell of all that are kept.

    Raises:
        StorageError: The storage cannot be reached.
    """
    executor, sampler = desk.executor, desk.sampler
    now = now_ms()
    await sampler.sample(now=now)
    figures = await figures_of(executor)
    newest = await executor.search_stored_task_executions(Search(limit=NEWEST))
    failed = await executor.search_stored_task_executions(Search(statuses=FAILED, limit=NEWEST))
    samples = list(sampler.samples)
    end = samples[-1].at
    covered = min(max(end - samples[0].at, SHORTEST_AXIS_MS), INTERVAL_MS * (KEPT - 1))
    begin = end - covered

    def chart(*series: str) -> Chart:
        points: dict[str, Points] = {
            "ready": [(each.at, float(each.figures.ready.number)) for each in samples],
            "ended": [(each.at, each.pace.per_second) for each in samples],
            "median": [(each.at, each.pace.median_ms) for each in samples],
            "slow": [(each.at, each.pace.slow_ms) for each in samples],
        }
        return chart_of(
            [(name, points[name]) for name in series], begin=begin, end=end, step=INTERVAL_MS
        )  # fmt: skip

    return {
        "sample": samples[-1],
        "covered": covered // _MINUTE_MS * _MINUTE_MS,
        "is_always_on": sampler.is_always_on,
        "throughput": chart("ended"),
        "latency": chart("median", "slow"),
        "depth": chart("ready"),
        "figures": figures,
        "newest": newest.records,
        "failed": failed.records,
        "hearing": executor.hearing,
        "is_healthy": executor.is_healthy,
    }
