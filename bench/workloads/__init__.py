"""The workloads by number."""

from __future__ import annotations

from bench.workload import Workload
from bench.workloads import bulk, callers, idle, trees

WORKLOADS: dict[int, Workload] = {
    each.number: each for each in (callers.WORKLOAD, bulk.WORKLOAD, idle.WORKLOAD, trees.WORKLOAD)
}
