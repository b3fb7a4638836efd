"""The adversary: breaks processes, connections and clocks, and has clients ask for work meanwhile.

All it does is drawn from the seed, and so is how bad it is: some runs are calm, some are storms.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from tests.simulation import clients
from tests.simulation.link import Ending, Fate, Side

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation

HOUR_MS: Final = 3_600_000
MAX_PROCESSES: Final = 10


class Adversary:
    """Draws what goes wrong, until `stop`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.horizon = random.uniform(3, 20)
        self._trouble = random.choice((0.0, 0.01, 0.05, 0.2))
        self._death = random.choice((0.0, 0.0, 0.002, 0.01))
        self._latency = random.choice((0.0, 0.001, 0.01, 0.05))
        self._has_lag = random.random() < 0.5
        self._news = random.choice((0.0, 0.5, 1.0))
        self.can_notify = self._news > 0 or random.random() < 0.5
        """Whether the database claims to tell executors of changes."""
        self.poison = random.choice((0.0, 0.0, 0.0, 0.1))
        """How many of what is enqueued kill the executor that runs them."""
        self.max_skew_ms = random.choice((0, 500, HOUR_MS))
        self.is_active = True
        """Whether it still does harm."""

    def plan(self, simulation: Simulation) -> None:
        """Put everything that will happen onto the world's agenda."""
        random, world = self._random, simulation.world
        for _ in range(random.randrange(3, 12)):
            instant = random.uniform(0, self.horizon)
            for _ in range(random.choice((1, 1, 1, 2, 6))):
                world.at(instant, lambda: clients.enqueue(simulation))
        for _ in range(random.randrange(0, 8)):
            world.at(random.uniform(0, self.horizon), lambda: clients.wake_up(simulation))
        for _ in range(random.choice((0, 1, 3))):
            world.at(random.uniform(0, self.horizon), lambda: clients.cancel(simulation))
        for _ in range(random.choice((0, 0, 1, 4))):
            world.at(random.uniform(0, 2 * self.horizon), lambda: clients.delete(simulation))
        for _ in range(random.choice((0, 0, 2, 5))):
            world.at(random.uniform(0, 1.5 * self.horizon), lambda: clients.retry(simulation))
        for _ in range(random.choice((0, 1, 2, 4, 8))):
            world.at(random.uniform(0, self.horizon), lambda: self._strike(simulation))

    def stop(self) -> None:
        """Do no more harm; what is under way runs its course."""
        self.is_active = False

    def skew(self) -> int:
        """Draw by how many milliseconds a machine's clock is wrong."""
        return self._random.randint(-self.max_skew_ms, self.max_skew_ms)

    def fate_of(self, process: Process, side: Side, verb: str) -> Fate:
        """Draw what becomes of a call."""
        random = self._random
        there, back = random.random() * self._latency, random.random() * self._latency
        ending: Ending = "answered"
        if not self.is_active:
            return Fate(there, ending, back)
        if random.random() < self._death:
            ending = random.choice(("dies before", "dies after"))
        elif random.random() < self._trouble:
            ending = random.choice(("refused", "answer lost"))
        elif self._has_lag and random.random() < 0.02:
            there, back = random.choice(((3.0, 0.0), (0.0, 3.0), (1.0, 1.0), (6.0, 0.0)))
        if verb == "heartbeat" and (ending != "answered" or there + back > 0.2):
            process.was_disturbed = True
        return Fate(there, ending, back)

    def spread_news(self, process: Process) -> None:
        """Tell a process of another's change, sooner, later or never."""
        if self._random.random() < self._news:
            process.world.after(self._random.random() * 0.05, process.tell_of_changes)

    def duration_of_work(self) -> float:
        """Draw the seconds that a coroutine takes."""
        luck = self._random.random()
        if luck < 0.4:
            return 0.0
        if luck < 0.85:
            return self._random.random() * 0.6
        return self._random.uniform(0.6, 6)

    def duration_in_thread(self) -> float:
        """Draw the seconds that a function in a thread takes."""
        return self.duration_of_work()

    def _strike(self, simulation: Simulation) -> None:
        if not self.is_active:
            return
        alive = [process for process in simulation.processes if process.is_running]
        # Whoever has something to lose.
        alive = [process for process in alive if len(process.engine.running)] or alive
        strikes: list[Callable[[Process], None]] = [
            lambda victim: victim.crash("struck"),
            lambda victim: victim.crash("struck"),
            lambda victim: victim.shut_down(),
            lambda victim: victim.shut_down(),
            lambda victim: victim.stall(self._span(), with_heart=False),
            lambda victim: victim.stall(self._span(), with_heart=True),
            lambda victim: victim.cut("heart", self._span()),
            lambda victim: victim.cut("work", self._span()),
            self._jump_clock,
            lambda _: simulation.outage(self._span()),
        ]
        if alive:
            self._random.choice(strikes)(self._random.choice(alive))
        if len(simulation.processes) < MAX_PROCESSES:
            delay = self._random.random() * 3
            simulation.world.after(delay, lambda: simulation.start_process())

    def _span(self) -> float:
        return self._random.choice((0.1, 0.5, 1.0, 2.0, 4.0)) * (0.5 + self._random.random())

    def _jump_clock(self, victim: Process) -> None:
        victim.skew_ms = self.skew()
        victim.note("clock jumps to", victim.skew_ms)
