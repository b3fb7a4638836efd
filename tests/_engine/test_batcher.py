from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from durable_execution._engine.batcher import Batcher
from durable_execution.errors import ExecutorShutDownError, StorageUnavailableError


class Flushes:
    """Doubles numbers; refuses some; stands still while its gate is closed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.refused: set[int] = set()
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, numbers: list[int]) -> Sequence[int]:
        self.batches.append(numbers)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.refused & set(numbers):
            raise ValueError("refused")
        return [number * 2 for number in numbers]


@asynccontextmanager
async def running(
    flush: Callable[[list[int]], Awaitable[Sequence[int]]], *, limit: int = 100
) -> AsyncIterator[Batcher[int, int]]:
    batcher: Batcher[int, int] = Batcher(flush, limit=limit)
    pump = asyncio.create_task(batcher.run())
    yield batcher
    pump.cancel()
    await asyncio.wait({pump})


async def test_what_gathers_during_a_flush_goes_out_together() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    async with running(flushes) as batcher:
        first = batcher.submit(1)
        while not flushes.batches:
            await asyncio.sleep(0)  # the first flush begins
        others = [batcher.submit(number) for number in (2, 3, 4)]
        flushes.gate.set()
        assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert flushes.batches == [[1], [2, 3, 4]]


async def test_a_batch_is_bounded() -> None:
    flushes = Flushes()
    async with running(flushes, limit=2) as batcher:
        await asyncio.gather(*(batcher.submit(number) for number in range(5)))
    assert flushes.batches == [[0, 1], [2, 3], [4]]


async def test_one_bad_item_fails_alone() -> None:
    flushes = Flushes()
    flushes.refused = {3}
    async with running(flushes) as batcher:
        results = await asyncio.gather(
            *(batcher.submit(number) for number in range(8)), return_exceptions=True
        )
    assert isinstance(results[3], ValueError)
    assert results[:3] + results[4:] == [0, 2, 4, 8, 10, 12, 14]


async def test_an_unreachable_storage_fails_the_batch_in_one_try() -> None:
    flushes = Flushes()
    flushes.error = StorageUnavailableError("away")
    async with running(flushes) as batcher:
        results = await asyncio.gather(
            *(batcher.submit(number) for number in range(8)), return_exceptions=True
        )
    assert results == [flushes.error] * 8
    assert len(flushes.batches) == 1


async def test_an_item_whose_caller_left_disturbs_nobody() -> None:
    flushes = Flushes()
    async with running(flushes) as batcher:
        left, stayed = batcher.submit(1), batcher.submit(2)
        left.cancel()
        assert await stayed == 4
    assert flushes.batches == [[1, 2]]


async def test_drained_waits_for_the_flush_under_way() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    async with running(flushes) as batcher:
        await batcher.drained()
        future = batcher.submit(1)
        drained = asyncio.ensure_future(batcher.drained())
        while not flushes.batches:
            await asyncio.sleep(0)  # the flush begins
        assert not drained.done()
        flushes.gate.set()
        await drained
        assert future.done()


async def test_the_end_fails_what_is_pending_and_under_way() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    async with running(flushes, limit=1) as batcher:
        futures = [batcher.submit(1), batcher.submit(2)]
        while not flushes.batches:
            await asyncio.sleep(0)  # the first flush begins
    for future in futures:
        with pytest.raises(ExecutorShutDownError):
            await future
    with pytest.raises(ExecutorShutDownError):
        batcher.submit(3)
    await batcher.drained()
