"""One run from a seed: chaos first, then peace, in which everything must come to an end.

`simulate(seed)` returns what happened, or raises `SimulationError`, which tells the last events
and the command that replays the run.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

from durable_execution import ExecutorOptions
from tests._core.invariants import CRASH_BUDGET
from tests.simulation.adversary import Adversary
from tests.simulation.database import Database
from tests.simulation.ledger import Ledger
from tests.simulation.process import Process
from tests.simulation.trace import KEPT, Trace
from tests.simulation.virtual_time import World
from tests.simulation.workload import WITH_TOKENS, leaves, tasks

PATIENCE: Final = 150.0
"""Virtual seconds of peace within which everything ends: the longest chain of naps and retries."""
LONGEST_CALL: Final = 10.0
"""Virtual seconds within which whatever clients asked for during chaos has reached the database."""
SWEEP: Final = 36.0
"""Virtual seconds of peace within which a parent is joined at the latest: by a sweep, when its last
child was ended by a process that does not know it."""
SETTLING: Final = 5.0
"""Virtual seconds for timers and waiters of the time before."""
QUIET: Final = 12.0
"""Virtual seconds for which idle executors are watched."""
EXPECTED_ERRORS: Final = (
    "no beat came through",
    "event loop has not answered",
    "storage unavailable at shutdown",
)


@dataclass(frozen=True)
class Report:
    """What a run came to."""

    seed: int
    digest: str
    events: int
    executions: int
    processes: int
    runs: int
    steps: int
    chaos: float
    peace: float
    """Virtual seconds until all had ended after the adversary stopped."""


class SimulationError(AssertionError):
    """A promise was broken in a run that can be replayed."""

    def __init__(self, seed: int, reason: str, last: list[str]) -> None:
        self.seed = seed
        self.reason = reason
        self._last = last
        lines = [f"seed {seed}: {reason}", "the last events:", *last]
        lines.append(f"replay: make simulate SEEDS=1 FIRST={seed}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[SimulationError], tuple[int, str, list[str]]]:
        """Cross to another process whole: else all that is seen there is that one ended."""
        return type(self), (self.seed, self.reason, self._last)


def simulate(
    seed: int, *, kept: int = KEPT, new_database: Callable[[World], Database] = Database
) -> Report:
    """Run one seed.

    Args:
        seed: Decides everything.
        kept: How many events an error shows.
        new_database: Another database than the honest one, to see that its faults are found.

    Raises:
        SimulationError: A promise was broken.
    """
    simulation = Simulation(seed, kept=kept, new_database=new_database)
    with _silence() as logged, _no_collector():
        try:
            simulation.run()
            complaints = [*simulation.ledger.errors, *logged]
            assert not complaints, complaints
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise SimulationError(seed, reason, list(simulation.trace.last)) from error
        finally:
            simulation.world.end()
    return simulation.report()


class Simulation:
    """The parts of a run."""

    def __init__(
        self,
        seed: int,
        *,
        kept: int = KEPT,
        new_database: Callable[[World], Database] = Database,
    ) -> None:
        self.seed = seed
        random = Random(seed)
        self.world = World(random)
        self.trace = Trace(kept=kept)
        self.database = new_database(self.world)
        self.ledger = Ledger(self.database, self.trace, WITH_TOKENS)
        self.processes = self.ledger.processes
        self.adversary = Adversary(random)
        self.options = ExecutorOptions(
            lease=random.choice((1, 2, 4)),
            poll_interval=random.choice((1, 10)),
            max_crash_recoveries=CRASH_BUDGET,
            shutdown_timeout=random.choice((0, 1, 5)),
            loop_stall_timeout=random.choice((0.5, 1, 60)),
            max_concurrent_task_executions=random.choice((1, 3, 100)),
            max_threads=random.choice((1, 8)),
            retention=random.choice((None, None, 12, 40)),
        )
        self._joinable_since: dict[tuple[str, int], float] = {}
        """By id and fence, which rises when a row is joined and becomes joinable once more."""
        self._peace_began = 0.0
        self._all_ended = 0.0

    def run(self) -> None:
        """Run chaos and peace, and check what is left."""
        for _ in range(self.world.random.choice((1, 2, 2, 3))):
            self.start_process()
        self.adversary.plan(self)
        self._pass(self.adversary.horizon)
        self.adversary.stop()
        self._peace_began = self.world.now
        self._make_peace()
        self._check_quiet()
        self._check_places()
        self._close()

    def start_process(self) -> None:
        """Start a process that knows all tasks, or during chaos perhaps only some."""
        random = self.world.random
        knows_all = not self.adversary.is_active or random.random() < 0.7
        process = Process(
            f"p{len(self.processes)}",
            self.world,
            self.ledger,
            self.adversary,
            tasks if knows_all else leaves,
            self.options,
            self.adversary.skew(),
        )
        self.processes.append(process)

    def outage(self, seconds: float) -> None:
        """Take the database away for a while."""
        self.trace.note(self.world.now, "outage", f"{seconds:.2f}")
        self.database.is_down = True
        for process in self.processes:
            process.was_disturbed = True
        self.world.after(seconds, self._end_outage)

    def report(self) -> Report:
        """Return what the run came to."""
        return Report(
            seed=self.seed,
            digest=self.trace.digest(),
            events=self.trace.count,
            executions=len(self.database.rows()) + len(self.database.deleted),
            processes=len(self.processes),
            runs=len(self.ledger.runs),
            steps=self.world.steps,
            chaos=self._peace_began,
            peace=self._all_ended - self._peace_began,
        )

    def _end_outage(self) -> None:
        self.database.is_down = False

    def _pass(self, seconds: float, *, until_all_ended: bool = False) -> None:
        database = self.database
        stop = (lambda: not database.unfinished()) if until_all_ended else (lambda: False)
        self.world.run(self.world.now + seconds, stop=stop)
        for process in self.processes:
            process.check()

    def _make_peace(self) -> None:
        """Let everything end: those who live on must see to it, with one who knows all tasks."""
        self.trace.note(self.world.now, "peace")
        self._pass(LONGEST_CALL)
        end = self.world.now + PATIENCE
        while self.database.unfinished() and self.world.now < end:
            if not any(each.is_alive and each.tasks == set(tasks) for each in self.processes):
                self.start_process()
            self._pass(5, until_all_ended=True)
            self._check_joined()
        self._all_ended = self.world.now
        left = self.database.unfinished()
        assert not left, f"{len(left)} never end, such as {left[0]}"
        self.ledger.check_end()

    def _check_joined(self) -> None:
        now, before = self.world.now, self._joinable_since
        self._joinable_since = {
            (row.execution_id, row.fence): before.get((row.execution_id, row.fence), now)
            for row in self.database.unfinished()
            if row.is_joinable
        }
        for (execution_id, _), since in self._joinable_since.items():
            assert now - since <= SWEEP, f"nobody joined {execution_id} within {SWEEP} s"

    def _check_quiet(self) -> None:
        """Executors with nothing to do hardly ask the database for anything."""
        self._pass(SETTLING)
        before = {process: process.calls for process in self._idle()}
        self._pass(QUIET)
        lease = self.options.lease_ms / 1000
        polls = 1 / float(self.options.poll_interval)  # type: ignore[arg-type]
        closely = 0
        if not self.adversary.can_notify:
            polls = 1
            closely = 60  # after a find that nobody told of, whenever that was
        prunes = 0.5 if self.options.retention else 0
        allowed = QUIET * (4.2 / lease + polls + prunes + 1 / 15 + 1 / 30) + 4 + closely
        for process, calls in before.items():
            asked = process.calls - calls
            assert asked <= allowed, f"{process.name} is idle and asked {asked} times in {QUIET} s"

    def _check_places(self) -> None:
        """No place is taken by anything, and whoever waited has been told."""
        for process in self._idle():
            running = process.engine.running
            assert len(running) == 0, f"{process.name} still runs {running.attempts()}"
            assert running._threaded == 0, f"{process.name} lost places for threads"
            waiting = [client for client in process.clients if not client.done()]
            assert not waiting, f"{process.name} left {len(waiting)} waiting: {waiting[0]}"
            assert process.executor.is_healthy, f"{process.name} is not healthy"

    def _close(self) -> None:
        """Shut everything down: it must take no longer than it may."""
        for process in self.processes:
            process.shut_down()
        self._pass(60)
        for process in self.processes:
            assert not process.is_alive, f"{process.name} does not shut down"

    def _idle(self) -> list[Process]:
        return [process for process in self.processes if process.is_running]


@contextmanager
def _no_collector() -> Iterator[None]:
    """What is freed when must not depend on when the collector happens to run."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _silence() -> Iterator[list[str]]:
    """Keep the engines' log out of sight, but not what would be a bug."""
    logger = logging.getLogger("durable_execution")
    level, propagates = logger.level, logger.propagate
    handler = _Complaints()
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith(EXPECTED_ERRORS):
            self.messages.append(f"{message}: {record.exc_info and record.exc_info[1]!r}")
