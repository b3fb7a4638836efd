from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from durable_execution import DurableExecutor, StorageUnavailableError, TaskContext
from durable_execution.dashboard import sampling
from durable_execution.dashboard.clock import now_ms
from durable_execution.dashboard.figures import Count, Figures
from durable_execution.dashboard.samples import Pace, Sample, Samples, counted_pace, pace_of
from durable_execution.dashboard.sampling import Sampler
from tests.dashboard.rows import NOW, row

if TYPE_CHECKING:
    from durable_execution.storage.search import Page, Search
    from tests.dashboard.conftest import Shop

NOTHING = pace_of([], window_ms=1, is_all=True)


def figures_with(ended: dict[str, int]) -> Figures:
    none = Count(0)
    return Figures(none, None, 0, none, none, tasks=(), executors=(), ended=ended)


def test_where_there_was_too_much_to_look_at_it_is_counted() -> None:
    samples = Samples()
    for at, count in ((0, 0), (10_000, 1_000), (60_000, 6_000)):
        samples.add(Sample(at=at, figures=figures_with({"a": count}), pace=NOTHING))
    pace = Pace(per_second=7.0, is_least=True, median_ms=1, slow_ms=1)
    now = figures_with({"a": 7_000, "new": 600})

    counted = counted_pace(pace, samples, now, at=70_000)
    assert (counted.per_second, counted.is_least) == (110.0, False)
    complete = replace(pace, is_least=False)
    assert counted_pace(complete, samples, now, at=70_000) == complete
    assert counted_pace(pace, Samples(), now, at=70_000) == pace
    # One that has started anew counts from 0 again.
    assert counted_pace(pace, samples, figures_with({"a": 3}), at=70_000) == pace


def test_a_pace_is_what_ended_by_the_time_it_took() -> None:
    rows = [
        row(created_at=NOW, finished_at=NOW + took, status="completed") for took in range(1, 101)
    ]
    assert pace_of(rows, window_ms=10_000, is_all=True) == Pace(
        per_second=10.0, is_least=False, median_ms=51, slow_ms=96
    )


def test_a_pace_of_a_part_is_that_of_the_time_the_part_covers() -> None:
    rows = [
        row(created_at=NOW, finished_at=NOW + each, status="completed") for each in (0, 50, 100)
    ]
    pace = pace_of(rows, window_ms=60_000, is_all=False)
    assert (pace.per_second, pace.is_least) == (30.0, True)


def test_where_nothing_ended_nothing_is_known_of_how_long_it_takes() -> None:
    assert pace_of([], window_ms=1_000, is_all=True) == Pace(
        per_second=0, is_least=False, median_ms=None, slow_ms=None
    )


def test_samples_are_bounded() -> None:
    samples = Samples(kept=3)
    for at in range(5):
        samples.add(Sample(at=at, figures=figures_with({}), pace=NOTHING))

    assert [each.at for each in samples] == [2, 3, 4]
    assert samples.newest is not None
    assert samples.newest.at == 4


async def test_a_sample_tells_what_ended_on_every_storage(executor: DurableExecutor) -> None:
    @executor.task
    async def greet(ctx: TaskContext) -> None: ...

    for _ in range(3):
        await (await executor.enqueue_task(greet)).result()
    await executor.enqueue_task(greet, sleep_before_run=3_600)
    sampler = Sampler(executor)
    await sampler.sample(now=now_ms())

    sample = sampler.samples.newest
    assert sample is not None
    assert sample.pace.per_second == pytest.approx(3 / 60)
    assert sample.pace.median_ms is not None


async def test_those_who_look_at_once_take_one_sample(shop: Shop) -> None:
    sampler = Sampler(shop.executor)
    now = now_ms()
    await asyncio.gather(*(sampler.sample(now=now + each) for each in range(50)))
    assert len(sampler.samples) == 1

    await sampler.sample(now=now + 10_000)
    assert len(sampler.samples) == 2


async def test_samples_are_taken_while_nobody_looks_and_outages_are_outlived(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "INTERVAL_MS", 5)
    storage = shop.executor._storage
    search, calls = storage.search, 0

    async def sometimes(given: Search) -> Page:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StorageUnavailableError("refused")
        return await search(given)

    storage.search = sometimes  # type: ignore[method-assign]
    sampler = Sampler(shop.executor)
    await sampler.start()
    while len(sampler.samples) < 3:
        await asyncio.sleep(0.005)  # the samples are what is waited for
    await sampler.stop()
    count = len(sampler.samples)
    await asyncio.sleep(0.03)  # long enough for more samples, if there were any
    assert len(sampler.samples) == count
