"""What simulation found, each as the smallest run that showed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from durable_execution import ExecutorOptions
from tests.simulation.adversary import Adversary
from tests.simulation.database import EPOCH_MS, Database
from tests.simulation.ledger import Ledger
from tests.simulation.link import Fate, Side
from tests.simulation.process import Process
from tests.simulation.trace import Trace
from tests.simulation.virtual_time import World
from tests.simulation.workload import tasks, work

HOUR_MS = 3_600_000


class Script(Adversary):
    """Does no harm but what a test tells it to."""

    def __init__(self) -> None:
        super().__init__(Random(1))
        self.fate: Callable[[Process, Side, str], Fate | None] = lambda *_: None
        self.work_duration = 0.0

    def fate_of(self, process: Process, side: Side, verb: str) -> Fate:
        return self.fate(process, side, verb) or Fate(0.001, "answered", 0.001)

    def duration_of_work(self) -> float:
        return self.work_duration


class Stage:
    def __init__(self) -> None:
        self.world = World(Random(1))
        self.script = Script()
        self.ledger = Ledger(Database(self.world), Trace(), frozenset())

    def process(self, options: ExecutorOptions) -> Process:
        process = Process(
            f"p{len(self.ledger.processes)}",
            self.world,
            self.ledger,
            self.script,
            tasks,
            options,
            skew_ms=0,
        )
        self.ledger.processes.append(process)
        return process

    def enqueue(self, process: Process, *, delay: float | None = None) -> None:
        async def enqueue() -> None:
            await process.executor.enqueue_task(work, {}, sleep_before_run=delay)

        process.do(enqueue())


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.world.end()


def test_beats_may_be_further_apart_than_a_loop_may_be_silent(stage: Stage) -> None:
    process = stage.process(ExecutorOptions(lease=300, loop_stall_timeout=60))
    stage.world.run(3000)
    assert process.executor.is_healthy


def test_a_beat_that_hangs_does_not_hide_the_end_of_the_lease(stage: Stage) -> None:
    stage.script.work_duration = 3.9
    stage.script.fate = lambda process, side, _: (
        Fate(100, "answered", 0) if side == "heart" and process.name == "p0" else None
    )
    process = stage.process(ExecutorOptions(lease=2))
    stage.world.run(0.1)
    stage.enqueue(process)
    stage.world.run(1.29)
    assert process.executor.running_task_executions_count == 1
    stage.world.run(1.31)  # 0.65 of the lease have passed
    assert process.executor.running_task_executions_count == 0


def test_a_wall_clock_that_jumps_does_not_put_work_off(stage: Stage) -> None:
    process = stage.process(ExecutorOptions(lease=60))
    stage.world.run(1)
    process.skew_ms = HOUR_MS
    stage.enqueue(process)
    stage.world.run(2)
    rows = stage.ledger.database.rows()
    assert [row.start_at - EPOCH_MS < 2000 for row in rows] == [True]


def test_an_answer_that_outlives_the_lease_begins_nothing(stage: Stage) -> None:
    late: list[str] = []

    def fate(process: Process, side: Side, verb: str) -> Fate | None:
        if process.name != "p0":
            return None
        if side == "heart" and 0.2 < stage.world.now < 3:
            return Fate(0.001, "refused", 0.001)
        if verb == "claim" and stage.ledger.database.unfinished() and not late:
            late.append(verb)
            return Fate(0.001, "answered", 5)
        return None

    stage.script.fate = fate
    cut_off = stage.process(ExecutorOptions(lease=1))
    cut_off.was_disturbed = True
    stage.world.run(0.1)
    stage.enqueue(cut_off, delay=0.05)  # so that it is claimed, and not started with its insert
    stage.world.run(0.2)
    stage.process(ExecutorOptions(lease=1))
    stage.world.run(10)
    assert late
    assert [run.process.name for run in stage.ledger.runs] == ["p1"]
