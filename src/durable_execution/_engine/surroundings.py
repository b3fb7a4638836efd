"""What an engine takes from the machine: time, chance and threads."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from durable_execution._engine.clock import wall_clock
from durable_execution._engine.rhythm import Rhythm, ThreadRhythm
from durable_execution._engine.threads import Threads, WorkerThreads


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """The machine as it is. A simulation gives others, and then runs the same way every time.

    Everything else that an engine does depends only on its storage, its tasks and its event loop.
    """

    wall_clock: Callable[[], int] = wall_clock
    """Milliseconds since the epoch."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never run backwards, the same in every thread."""
    random_bytes: Callable[[int], bytes] = os.urandom
    jitter: Callable[[], float] = random.random
    """From 0 to 1."""
    new_rhythm: Callable[[], Rhythm] = ThreadRhythm
    new_threads: Callable[[int], Threads] = WorkerThreads

    def steady_clock(self) -> Callable[[], int]:
        """Return a clock that shows the wall's time now, and takes no part in its later jumps.

        What is enqueued just after somebody set the machine's clock would else start that much
        later, for as long as it takes to learn the storage's time again.
        """
        monotonic = self.monotonic
        began = self.wall_clock() - int(monotonic() * 1000)
        return lambda: began + int(monotonic() * 1000)


MACHINE = Surroundings()
