"""What becomes of answers whose row moves between the read and the write."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from durable_execution._core import decisions, transitions
from durable_execution._core.decisions import Raised, Returned
from durable_execution._core.patch import Transition, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.outside import Turn, _conclude, _extend
from durable_execution.errors import AttemptOverError, StoredError
from tests._core.records import NOW, parked, record_in

TURN = Turn("te_1", 4)
TASK: Any = SimpleNamespace(id="task")
BUSY = StoredError(message="busy", is_retryable=True)


class Rows:
    """The engine's side of a storage with one row, which moves once before the next write."""

    def __init__(self, row: ExecutionRecord, before_the_write: Transition | None = None) -> None:
        self.row = row
        self._before_the_write = before_the_write
        self.writes = 0

    async def get(self, execution_id: str) -> ExecutionRecord | None:
        return self.row if execution_id == self.row.execution_id else None

    async def apply(self, record: ExecutionRecord, transition: Transition) -> bool:
        move, self._before_the_write = self._before_the_write, None
        if move is not None:
            self.row = patched(self.row, move.patch)
        if not transition.guard.holds(self.row):
            return False
        self.row = patched(self.row, transition.patch)
        self.writes += 1
        return True


def engine(rows: Rows, now: int = NOW) -> Any:
    return SimpleNamespace(commits=rows, clock=SimpleNamespace(now=lambda: now))


async def test_an_answer_counts_though_the_row_is_parked_meanwhile() -> None:
    held = record_in("running")
    rows = Rows(held, transitions.park(held, lease_ms=9, now=NOW))
    assert await _conclude(engine(rows), TASK, TURN, Returned(b"x")) == "completed"
    assert (rows.row.status, rows.row.output) == ("completed", b"x")


async def test_of_two_answers_the_second_is_judged_by_the_first() -> None:
    first = transitions.complete(parked(), output=b"x", now=NOW)
    rows = Rows(parked(), first)
    assert await _conclude(engine(rows), TASK, TURN, Returned(b"x")) == "completed"
    rows = Rows(parked(), first)
    with pytest.raises(AttemptOverError, match="ended as completed"):
        await _conclude(engine(rows), TASK, TURN, Returned(b"y"))
    assert rows.writes == 0


async def test_an_answer_that_a_lapse_overtakes_is_for_an_attempt_that_is_over() -> None:
    rows = Rows(parked(), decisions.expire(parked(), now=NOW))
    with pytest.raises(AttemptOverError, match="another one follows"):
        await _conclude(engine(rows), TASK, TURN, Returned(b"x"))
    rows = Rows(parked(), decisions.expire(parked(), now=NOW))
    with pytest.raises(AttemptOverError, match="another one follows"):
        await _extend(engine(rows), TASK, TURN, 9)


async def test_a_failure_is_told_again_until_the_next_attempt_begins() -> None:
    rows = Rows(parked())
    for _ in range(2):
        assert await _conclude(engine(rows), TASK, TURN, Raised(BUSY)) == "ready"
    assert (rows.writes, rows.row.attempt) == (1, 2)
    rows.row = transitions.claimed(rows.row, executor_id="next", now=NOW + 1_000)
    with pytest.raises(AttemptOverError, match="another one follows"):
        await _conclude(engine(rows), TASK, TURN, Raised(BUSY))


async def test_a_lease_is_extended_from_now_on_and_never_shortened() -> None:
    rows = Rows(parked(expires_at=NOW + 5))
    assert (await _extend(engine(rows), TASK, TURN, 9))[1] == NOW + 9
    rows = Rows(parked(expires_at=NOW + 50))
    assert (await _extend(engine(rows), TASK, TURN, 9))[1] == NOW + 50


async def test_once_the_time_of_the_attempt_is_over_no_lease_begins() -> None:
    rows = Rows(parked(expires_at=62_000))
    with pytest.raises(AttemptOverError, match="Time of the attempt is over"):
        await _extend(engine(rows, now=62_000), TASK, TURN, 9)
    assert rows.writes == 0


async def test_nothing_is_written_before_the_claim_by_a_clock_that_is_behind() -> None:
    rows = Rows(parked())
    await _conclude(engine(rows, now=0), TASK, TURN, Returned(b"x"))
    assert rows.row.finished_at == parked().updated_at


async def test_a_row_of_another_task_is_not_found() -> None:
    other = msgspec.structs.replace(parked(), task_id="other")
    with pytest.raises(Exception, match="not found"):
        await _conclude(engine(Rows(other)), TASK, TURN, Returned(b"x"))
