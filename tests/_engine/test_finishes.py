from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence

import pytest

from durable_execution._core.patch import Finish
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.pace import Pace
from durable_execution._engine.services.finishes import READ_LIMIT, Ended, Finishes
from durable_execution.errors import DurableExecutionNotFoundError, ExecutorShutDownError
from tests._core.records import record_in


class Rows:
    """The part of a storage that is read for those who wait."""

    can_notify = True
    is_deaf = False

    def __init__(self) -> None:
        self.finished: set[str] = set()
        self.deleted: set[str] = set()
        self.reads: list[list[str]] = []

    async def get(self, execution_ids: Sequence[str]) -> list[ExecutionRecord | None]:
        self.reads.append(list(execution_ids))
        return [
            None
            if each in self.deleted
            else record_in("completed" if each in self.finished else "running", execution_id=each)
            for each in execution_ids
        ]


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
async def finishes(rows: Rows) -> Finishes:
    return Finishes(rows, executor_id="here", pace=Pace(rows, 60))  # type: ignore[arg-type]


async def _waiters(finishes: Finishes, *ids: str) -> list[asyncio.Future[Ended]]:
    waiting = [asyncio.ensure_future(finishes.wait_for(each)) for each in ids]
    await asyncio.sleep(0)  # they begin to wait
    return waiting


async def test_nothing_is_read_while_nobody_waits(finishes: Finishes, rows: Rows) -> None:
    assert await finishes.run_once() is False
    assert rows.reads == []


async def test_one_read_serves_all_who_wait(finishes: Finishes, rows: Rows) -> None:
    first, second, other = await _waiters(finishes, "te_1", "te_1", "te_2")
    rows.finished = {"te_1"}
    assert await finishes.run_once() is False
    assert rows.reads == [["te_1", "te_2"]]
    assert (await first).row.execution_id == (await second).row.execution_id == "te_1"
    assert not other.done()
    finishes.tell(record_in("failed", execution_id="te_2"))
    assert (await other).how.status == "failed"


async def test_reads_are_bounded_and_none_is_left_out(finishes: Finishes, rows: Rows) -> None:
    ids = [f"te_{number}" for number in range(READ_LIMIT + 1)]
    waiting = await _waiters(finishes, *ids)
    assert await finishes.run_once() is True
    assert await finishes.run_once() is False
    assert [len(read) for read in rows.reads] == [READ_LIMIT, 1]
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    assert finishes._waiters == {}


async def test_a_finish_is_remembered_for_as_long_as_somebody_may_ask(finishes: Finishes) -> None:
    watch = finishes.watch("te_1")
    assert finishes.watch("te_1") is watch
    record = record_in("completed", execution_id="te_1")
    finishes.tell(record)
    assert watch.ended is not None
    assert watch.ended.row is record
    del watch
    gc.collect()
    assert finishes.watch("te_1").ended is None


async def test_what_failed_is_remembered_until_it_runs_again(finishes: Finishes) -> None:
    watch = finishes.watch("te_1")
    finishes.tell(record_in("failed", execution_id="te_1"))
    assert watch.ended is not None
    finishes.forget("te_1")
    assert watch.ended is None
    record = record_in("completed", execution_id="te_1")
    finishes.tell(record)
    assert watch.ended is not None
    assert watch.ended.row is record


async def test_watches_that_nobody_holds_are_swept_out(finishes: Finishes) -> None:
    held = [finishes.watch(f"te_held_{number}", is_new=True) for number in range(10)]
    for number in range(10_000):
        finishes.watch(f"te_{number}", is_new=True)
    assert len(finishes._watches) <= 1000
    for number, watch in enumerate(held):
        record = record_in("completed", execution_id=f"te_held_{number}")
        finishes.tell(record)
        assert watch.ended is not None
    assert watch.ended.row is record


async def test_watch_that_nobody_holds_goes_with_the_finish(finishes: Finishes) -> None:
    held = finishes.watch("te_held", is_new=True)
    finishes.watch("te_dropped", is_new=True)
    finish = Finish(status="completed", finished_at=1)
    records = [record_in("running", execution_id=each) for each in ("te_held", "te_dropped")]
    finishes.tell_all([(record, finish) for record in records])
    assert held.ended is not None
    assert finishes._watches == {}


async def test_a_new_execution_is_known_until_others_write(finishes: Finishes) -> None:
    new, old = finishes.watch("te_new", is_new=True), finishes.watch("te_old")
    assert not finishes.may_have_finished_elsewhere(new)
    assert finishes.may_have_finished_elsewhere(old)
    finishes.announce_change()
    assert finishes.may_have_finished_elsewhere(new)


async def test_the_end_is_told_to_all_who_wait(finishes: Finishes) -> None:
    waiting = await _waiters(finishes, "te_1", "te_1", "te_2")
    finishes.fail_all(ExecutorShutDownError("over"))
    for each in waiting:
        with pytest.raises(ExecutorShutDownError, match="over"):
            await each


async def test_who_waits_for_what_is_deleted_is_told(finishes: Finishes, rows: Rows) -> None:
    kept, deleted = await _waiters(finishes, "te_1", "te_2")
    rows.deleted.add("te_2")
    await finishes.run_once()
    with pytest.raises(DurableExecutionNotFoundError, match="te_2"):
        await deleted
    assert not kept.done()
    kept.cancel()
