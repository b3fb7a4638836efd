"""The workloads by number."""

from __future__ import annotations

from bench.workload import Workload
from bench.workloads import bulk, callers, growth, http, idle, rest, soak, threads, trees

WORKLOADS: dict[int, Workload] = {
    each.number: each
    for each in (
        callers.WORKLOAD,
        bulk.WORKLOAD,
        idle.WORKLOAD,
        trees.WORKLOAD,
        http.WORKLOAD,
        growth.WORKLOAD,
        rest.WORKLOAD,
        threads.WORKLOAD,
        soak.WORKLOAD,
    )
}
