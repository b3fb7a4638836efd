"""How long one task takes when nothing else runs: in one process, and handed to another."""

from __future__ import annotations

from bench.engines import engine, opened
from bench.pace import latencies, percentile, warm_up
from bench.place import Place
from bench.storages import DURABLE
from bench.worker import workers
from bench.workload import Figure, Goal, Measures, Of, Workload, at_most, on

CALLS = 300
WARM_UP_CALLS = 50
SERVERS = ("postgres", "mariadb")


async def measure(side: str, place: Place) -> Measures:
    calls = place.scaled(CALLS, least=50)
    async with opened(engine(side, place, "eager")) as made:
        await warm_up(made.call)
        alone = await latencies(made.call, calls)
    measures = {"p50": percentile(alone, 50), "p99": percentile(alone, 99)}
    if place.storage == "memory":
        return measures
    with workers(side, 1, place) as started:
        started[0].begin()
        started[0].await_open()
        async with opened(engine(side, place, "client")) as made:
            await latencies(made.call, WARM_UP_CALLS)
            apart = await latencies(made.call, calls)
    return {**measures, "apart_p50": percentile(apart, 50), "apart_p99": percentile(apart, 99)}


def _figure(metric: str, name: str, goals: dict[str, Goal]) -> Figure:
    ours, floor = Of("ours", name), Of("floor", name)
    return Figure(metric=metric, unit="ms", ours=ours, floor=floor, goals=goals)


WORKLOAD = Workload(
    number=3,
    title="idle latency, one task at a time",
    sides=("ours", "floor"),
    measure=measure,
    figures=(
        _figure("one process, p50", "p50", on(DURABLE, at_most(2))),
        _figure("one process, p99", "p99", {}),
        _figure("two processes, p50", "apart_p50", on(SERVERS, at_most(2))),
        _figure("two processes, p99", "apart_p99", {}),
    ),
)
