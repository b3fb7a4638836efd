from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, open_storage
from durable_execution.testing import FakeClock


def test_time_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock(datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC))
    before = clock()
    assert clock() == before == 1_927_857_906_000
    clock.advance(1.5)
    clock.advance(timedelta(minutes=1))
    assert clock() == before + 61_500
    assert clock.now == datetime(2031, 2, 3, 4, 6, 7, 500_000, tzinfo=UTC)


def test_time_does_not_run_backwards() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        FakeClock(datetime(2031, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
async def test_a_task_that_is_due_in_ten_minutes_runs_once_they_have_been_advanced(
    url: str,
) -> None:
    clock = FakeClock()
    options = ExecutorOptions(poll_interval=0.05, lease=3600)
    executor = DurableExecutor(open_storage(url, clock=clock), options)

    @executor.task(sleep_before_run=600)
    async def ring(ctx: TaskContext) -> str:
        return "ding"

    async with executor:
        handle = await executor.enqueue_task(ring)
        clock.advance(590)
        with pytest.raises(TimeoutError):  # several polls see that it is not due
            await handle.result(timeout=0.2)
        clock.advance(20)  # the executor's own clock has run on since its last beat
        assert await handle.result(timeout=30) == "ding"
