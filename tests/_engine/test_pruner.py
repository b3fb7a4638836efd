from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_execution import ExecutorOptions, InMemoryStorage, InvalidOptionError
from durable_execution._core import transitions as law
from durable_execution._engine.clock import Clock
from durable_execution._engine.engine import Engine
from durable_execution._engine.services.pruner import (
    LEAST_REST,
    LONGEST_LOOK_INTERVAL,
    PRUNE_LIMIT,
    REST,
    SHORTEST_LOOK_INTERVAL,
    SHORTEST_REST,
    Pruner,
)
from durable_execution._engine.surroundings import Surroundings
from durable_execution.errors import StoredError
from durable_execution.testing.records import RecordBuilder

HOUR = 3_600_000
NOW = 100 * HOUR
DONE = StoredError(message="done")


class CountingStorage(InMemoryStorage):
    """Counts deletions."""

    deletions = 0

    async def delete_finished(self, finished_before: int, limit: int, *, id_before: str) -> int:
        self.deletions += 1
        return await super().delete_finished(finished_before, limit, id_before=id_before)


async def _storage(*, finished_at: int, number: int) -> CountingStorage:
    storage = CountingStorage(clock=lambda: NOW)
    rows = RecordBuilder("te_0").roots(1, number)
    await storage.insert(rows)
    await storage.apply([law.cancel(row, error=DONE, now=finished_at) for row in rows])
    return storage


def _pruner(storage: InMemoryStorage, *, retention_ms: int = HOUR, jitter: float = 0) -> Pruner:
    clock = Clock(lambda: NOW)
    return Pruner(storage, clock, retention_ms=retention_ms, jitter=lambda: jitter)


async def _left(storage: InMemoryStorage) -> int:
    return sum(n for of_task in (await storage.counts()).values() for n in of_task.values())


async def test_a_turn_deletes_a_bounded_number_of_old_executions_and_rests() -> None:
    storage = await _storage(finished_at=NOW - HOUR - 1, number=PRUNE_LIMIT + 3)
    pruner = _pruner(storage)
    assert not await pruner.run_once()
    assert await _left(storage) == 3
    assert SHORTEST_REST / 2 * 0.9 < pruner.pause() < LONGEST_LOOK_INTERVAL / 2
    await asyncio.sleep(pruner.pause())  # the rest is what is tested
    await pruner.run_once()
    assert await _left(storage) == 0


async def test_rests_become_shorter_while_batches_are_full() -> None:
    pruner = _pruner(await _storage(finished_at=NOW, number=1))
    assert pruner._rest_after(PRUNE_LIMIT, 1.0) == pytest.approx(REST, rel=0.02)
    rests = [pruner._rest_after(PRUNE_LIMIT, 1.0) for _ in range(200)]
    assert rests == sorted(rests, reverse=True)
    assert rests[-1] == LEAST_REST
    assert pruner._rest_after(PRUNE_LIMIT, 0.0) == SHORTEST_REST * LEAST_REST / REST
    assert pruner._rest_after(3, 1.0) == REST  # there is no more than that


async def test_what_is_younger_than_the_retention_stays() -> None:
    storage = await _storage(finished_at=NOW - HOUR, number=3)
    await _pruner(storage).run_once()
    assert (storage.deletions, await _left(storage)) == (1, 3)


@pytest.mark.parametrize(
    ("retention_ms", "interval"),
    [(1000, SHORTEST_LOOK_INTERVAL), (60_000, 30.0), (HOUR, LONGEST_LOOK_INTERVAL)],
)
async def test_looks_are_far_apart_while_there_is_nothing_to_delete(
    retention_ms: int, interval: float
) -> None:
    pruner = _pruner(await _storage(finished_at=NOW, number=1), retention_ms=retention_ms)
    await pruner.run_once()
    assert interval / 2 - 1 < pruner.pause() <= interval / 2


async def test_the_first_look_waits_and_a_wake_up_brings_it_no_nearer() -> None:
    storage = await _storage(finished_at=1, number=3)
    pruner = _pruner(storage, jitter=1)
    for _ in range(3):
        assert not await pruner.run_once()
    assert (storage.deletions, await _left(storage)) == (0, 3)
    assert LONGEST_LOOK_INTERVAL - 1 < pruner.pause() <= LONGEST_LOOK_INTERVAL


@pytest.mark.parametrize(("retention", "left"), [(timedelta(hours=1), 0), (None, 3)])
async def test_an_engine_prunes_only_with_a_retention(
    retention: timedelta | None, left: int
) -> None:
    storage = await _storage(finished_at=1, number=3)
    options = ExecutorOptions(retention=retention)
    engine = Engine(storage, {}, options, Surroundings(jitter=lambda: 0.0))
    await engine.start()
    await asyncio.sleep(0.05)  # its chores have their first turn
    await engine.stop()
    assert await _left(storage) == left


@pytest.mark.parametrize("retention", [0, 0.5, -1, "1h", float("nan"), timedelta(days=365 * 101)])
def test_a_retention_out_of_bounds_is_refused(retention: float) -> None:
    with pytest.raises(InvalidOptionError, match="retention must be"):
        ExecutorOptions(retention=retention)


def test_nothing_is_deleted_by_default() -> None:
    assert ExecutorOptions().retention_ms is None
