"""The look that serves all who watch: what it reads, when, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from durable_execution._core.progress import Progress
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.pace import Pace
from durable_execution._engine.services.shared_reading import READ_LIMIT
from durable_execution._engine.services.watches import Watched, Watches
from durable_execution.errors import (
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
    StorageUnavailableError,
)
from durable_execution.storage.protocol import Glance
from tests._core.records import record_in

HALF = Progress(1, 1, 0.5, None, 0)


def row(execution_id: str, status: str = "running", fence: int = 1) -> ExecutionRecord:
    record = record_in(status, execution_id=execution_id)  # type: ignore[arg-type]
    return msgspec.structs.replace(record, fence=fence)


class Rows:
    """The part of a storage that is looked at; `meanwhile` happens between a look and a read."""

    can_notify = True
    is_deaf = False

    def __init__(self) -> None:
        self.rows: dict[str, ExecutionRecord] = {}
        self.progress: dict[str, Progress] = {}
        self.glances: list[list[str]] = []
        self.reads: list[list[str]] = []
        self.meanwhile = lambda: None
        self.is_down = False

    def put(self, *rows: ExecutionRecord) -> None:
        self.rows |= {each.execution_id: each for each in rows}

    async def glance(self, execution_ids: Sequence[str]) -> list[Glance | None]:
        self.glances.append(list(execution_ids))
        if self.is_down:
            raise StorageUnavailableError("away")
        found = [
            Glance(self.rows[each].status, self.rows[each].fence, self.progress.get(each))
            if each in self.rows
            else None
            for each in execution_ids
        ]
        self.meanwhile()
        return found

    async def get(self, execution_ids: Sequence[str]) -> list[ExecutionRecord | None]:
        self.reads.append(list(execution_ids))
        return [self.rows.get(each) for each in execution_ids]


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def watches(rows: Rows) -> Watches:
    return Watches(rows, pace=Pace(rows, 60))  # type: ignore[arg-type]


def is_told(watched: Watched) -> asyncio.Future[None]:
    return asyncio.ensure_future(watched.changed())


async def test_nothing_is_read_while_nobody_watches(watches: Watches, rows: Rows) -> None:
    watched = watches.watch("te_1")
    assert watches.is_needed
    del watched
    watches.announce_change()
    watches.announce(row("te_1"))
    assert await watches.run_once() is False
    assert not watches.is_needed
    assert (rows.glances, rows.reads) == ([], [])
    assert watches.pause() == 60


async def test_one_look_serves_all_and_only_what_moved_is_read(
    watches: Watches, rows: Rows
) -> None:
    rows.put(row("te_1"), row("te_2"))
    first, again, second = (watches.watch(each) for each in ("te_1", "te_1", "te_2"))
    assert again is first
    await watches.run_once()
    assert (rows.glances, rows.reads) == ([["te_1", "te_2"]], [["te_1", "te_2"]])
    assert (first.record, second.record) == (rows.rows["te_1"], rows.rows["te_2"])
    rows.put(row("te_2", "completed"))
    rows.progress["te_1"] = HALF
    watches.announce_change()
    await watches.run_once()
    assert rows.reads[1:] == [["te_2"]]
    assert (first.progress, second.is_settled) == (HALF, True)
    watches.announce_change()
    await watches.run_once()
    assert rows.glances[2:] == [["te_1"]], "what has finished is not looked at any more"
    assert watches.pause() <= 0.5


async def test_what_moved_here_is_looked_at_alone_and_not_read(
    watches: Watches, rows: Rows
) -> None:
    rows.put(row("te_1"), row("te_2"))
    watched = [watches.watch(each) for each in ("te_1", "te_2")]
    await watches.run_once()
    done = row("te_2", "completed")
    rows.put(done)
    watches.announce(done)
    watches.announce(row("te_9"))
    await watches.run_once()
    assert (rows.glances[1:], rows.reads[1:]) == ([["te_2"]], [])
    assert watched[1].record is done


async def test_a_row_that_was_not_written_after_all_is_not_told(
    watches: Watches, rows: Rows
) -> None:
    rows.put(row("te_1", fence=3))
    watched = watches.watch("te_1", row("te_1", "completed", fence=1))
    await watches.run_once()
    assert watched.record == rows.rows["te_1"]
    assert rows.reads == [["te_1"]]


async def test_what_is_announced_during_a_look_gets_another(watches: Watches, rows: Rows) -> None:
    rows.put(row("te_1"))
    watched = watches.watch("te_1")
    await watches.run_once()
    done = row("te_1", "completed")

    def finish() -> None:
        rows.meanwhile = lambda: None
        rows.put(done)
        watches.announce(done)

    rows.meanwhile = finish
    watches.announce_progress("te_1")
    assert await watches.run_once() is True
    assert not watched.is_settled
    await watches.run_once()
    assert watched.record is done


async def test_the_last_progress_is_there_before_the_finish_is_told(
    watches: Watches, rows: Rows
) -> None:
    rows.put(row("te_1", "ready", fence=0))
    watched = watches.watch("te_1")

    def run_and_finish() -> None:
        rows.meanwhile = lambda: None
        rows.progress["te_1"] = HALF
        rows.put(row("te_1", "completed"))

    rows.meanwhile = run_and_finish
    assert await watches.run_once() is True
    assert watched.record is None
    assert await watches.run_once() is False
    assert watched.record is not None
    assert (watched.record.status, watched.progress) == ("completed", HALF)


async def test_looks_are_bounded_and_none_is_left_out(watches: Watches, rows: Rows) -> None:
    ids = [f"te_{number}" for number in range(READ_LIMIT + 1)]
    rows.put(*map(row, ids))
    watched = [watches.watch(each) for each in ids]
    assert await watches.run_once() is True
    assert await watches.run_once() is False
    assert [len(each) for each in rows.glances] == [READ_LIMIT, 1]
    assert all(each.record is not None for each in watched)


async def test_a_look_that_failed_is_made_up_for(watches: Watches, rows: Rows) -> None:
    rows.put(row("te_1"))
    watched = watches.watch("te_1")
    rows.is_down = True
    with pytest.raises(StorageUnavailableError):
        await watches.run_once()
    rows.is_down = False
    await watches.run_once()
    assert watched.record == rows.rows["te_1"]


async def test_all_who_wait_are_told_and_none_for_nothing(watches: Watches, rows: Rows) -> None:
    rows.put(row("te_1"), row("te_2"))
    one, other = watches.watch("te_1"), watches.watch("te_2")
    await watches.run_once()
    waiting = [is_told(one), is_told(one), is_told(other)]
    gone = is_told(one)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait({gone})
    assert len(one.waiters) == 2
    rows.progress["te_1"] = HALF
    watches.announce_change()
    await watches.run_once()
    await asyncio.sleep(0)
    assert [each.done() for each in waiting] == [True, True, False]
    watches.announce_change()
    await watches.run_once()
    waiting[2].cancel()
    assert one.waiters == set()


async def test_deletion_and_the_end_are_told(watches: Watches, rows: Rows) -> None:
    rows.put(row("te_1"), row("te_2", "completed"), row("te_3"))
    deleted, done, left = (watches.watch(each) for each in ("te_1", "te_2", "te_3"))
    await watches.run_once()
    del rows.rows["te_1"]
    watches.announce_change()
    await watches.run_once()
    assert isinstance(deleted.error, DurableExecutionNotFoundError)
    assert watches.watch("te_1") is not deleted
    watches.fail_all(ExecutorShutDownError("over"))
    assert (done.error, type(left.error)) == (None, ExecutorShutDownError)
    assert isinstance(watches.watch("te_4").error, ExecutorShutDownError)
