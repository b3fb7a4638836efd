"""Processes that are kept running: started again when they end, all ended by a signal.

A process that is watched holds the reading end of a pipe: when this one dies, however
suddenly, the pipe ends, and the process drains by itself.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import Final

from durable_execution.cli.exits import FAILED
from durable_execution.cli.log_options import LogFormat, LogLevel
from durable_execution.cli.supervisor import ALIVE, READY, STOPPING, Supervisor

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
STEADY_AFTER: Final = 60.0
"""Seconds that a process has to run for its next pause to be the first one again."""
_LOOK_INTERVAL: Final = 0.1


@dataclass
class Place:
    """Where one process runs, and the next one after it."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    starts_at: float = 0.0


class Crew:
    """Runs the same executor in several processes until a signal comes.

    Args:
        target: `MODULE:EXECUTOR`, which has been loaded once, so that it can be.
        processes: How many.
        log_level: Given to each.
        log_format: Given to each.
    """

    def __init__(
        self, target: str, processes: int, log_level: LogLevel, log_format: LogFormat
    ) -> None:
        self._command = [
            *(sys.executable, "-m", "durable_execution.cli.worker_process"),
            *(target, log_level, log_format),
        ]
        self._places = [Place(number) for number in range(processes)]
        self._signals = 0
        self._has_failed = False
        self._supervisor = Supervisor()
        self._speaks_at = 0.0

    def run(self) -> int:
        """Run until a signal has ended all processes; return the exit code."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._on_signal)
        told = 0
        self._look_at_all()
        self._supervisor.tell(READY)
        while True:
            self._look_at_all()
            self._say_alive()
            if self._signals > told:
                self._supervisor.tell(STOPPING)
                told = self._signals
                self._end_all(at_once=told > 1)
            if self._signals and all(place.process is None for place in self._places):
                return FAILED if self._has_failed else 0
            time.sleep(_LOOK_INTERVAL)

    def _look_at_all(self) -> None:
        now = time.monotonic()
        for place in self._places:
            self._look(place, now)

    def _say_alive(self) -> None:
        now = time.monotonic()
        if self._supervisor.rest is not None and now >= self._speaks_at:
            self._speaks_at = now + self._supervisor.rest
            self._supervisor.tell(ALIVE)

    def _look(self, place: Place, now: float) -> None:
        process = place.process
        if process is None:
            if not self._signals and now >= place.starts_at:
                self._start(place, now)
            return
        code = process.poll()
        if code is None:
            return
        place.process = None
        if process.stdin is not None:
            process.stdin.close()
        if self._signals:
            # One that had not come as far as to listen had nothing to drain.
            self._has_failed = self._has_failed or code not in (0, -signal.SIGTERM)
            return
        if now - place.started_at >= STEADY_AFTER:
            place.pause = FIRST_PAUSE
        facts = {"number": place.number, "code": code, "pause": place.pause}
        logger.error("a worker process ended, starting it again", extra=facts)
        place.starts_at = now + place.pause
        place.pause = min(2 * place.pause, LONGEST_PAUSE)

    def _start(self, place: Place, now: float) -> None:
        # A group of its own: Ctrl+C reaches this process alone, which passes it on once.
        place.process = subprocess.Popen(  # noqa: S603 - ourselves, with arguments that were checked
            self._command, stdin=subprocess.PIPE, start_new_session=True
        )
        place.started_at = now
        facts = {"number": place.number, "pid": place.process.pid}
        logger.info("started a worker process", extra=facts)

    def _end_all(self, *, at_once: bool) -> None:
        for place in self._places:
            if place.process is not None and place.process.poll() is None:
                place.process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._signals += 1
