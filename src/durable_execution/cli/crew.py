"""Processes that are kept running: started again when they end or hang, all ended by a signal.

A process that is watched holds the reading end of a pipe: when this one dies, however
suddenly, the pipe ends, and the process drains by itself. By another it says, again and again,
that its executor works.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
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
LONGEST_SILENCE: Final = 90.0
"""Seconds without a word after which a process hangs. One that cannot work, but whose event loop
turns, ends by itself before."""
_LOOK_INTERVAL: Final = 0.1


@dataclass
class Place:
    """Where one process runs, and the next one after it."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    voice: int | None = None
    """Where the process says that it works."""
    spoke_at: float | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    starts_at: float = 0.0

    def listen(self, now: float) -> None:
        """Take notice of what the process has said."""
        if self.voice is not None:
            with suppress(BlockingIOError):
                self.spoke_at = now if os.read(self.voice, 4096) else self.spoke_at

    def leave(self) -> None:
        """Forget the process, which has ended."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        if self.voice is not None:
            os.close(self.voice)
        self.process = self.voice = self.spoke_at = None


class Crew:
    """Runs the same executor in several processes until a signal comes.

    Args:
        target: `MODULE:EXECUTOR`, which has been loaded once, so that it can be.
        processes: How many.
        log_level: Given to each.
        log_format: Given to each.
        longest_silence: Seconds without a word after which a process is ended and replaced.
    """

    def __init__(
        self,
        target: str,
        processes: int,
        log_level: LogLevel,
        log_format: LogFormat,
        *,
        longest_silence: float = LONGEST_SILENCE,
    ) -> None:
        self._command = [
            *(sys.executable, "-m", "durable_execution.cli.worker_process"),
            *(target, log_level, log_format),
        ]
        self._places = [Place(number) for number in range(processes)]
        self._longest_silence = longest_silence
        self._signals = 0
        self._is_ready = False
        self._has_failed = False
        self._supervisor = Supervisor()
        self._speaks_at = 0.0

    def run(self) -> int:
        """Run until a signal has ended all processes; return the exit code."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._on_signal)
        told = 0
        while True:
            now = time.monotonic()
            for place in self._places:
                self._look(place, now)
            self._report(now)
            if self._signals > told:
                self._supervisor.tell(STOPPING)
                told = self._signals
                self._end_all(at_once=told > 1)
            if self._signals and all(place.process is None for place in self._places):
                return FAILED if self._has_failed else 0
            time.sleep(_LOOK_INTERVAL)

    def _report(self, now: float) -> None:
        """Tell the supervisor once that all executors work, and on and on that this loop turns."""
        if not self._is_ready and all(place.spoke_at is not None for place in self._places):
            self._is_ready = True
            self._supervisor.tell(READY)
        if self._supervisor.rest is not None and now >= self._speaks_at:
            self._speaks_at = now + self._supervisor.rest
            self._supervisor.tell(ALIVE)

    def _look(self, place: Place, now: float) -> None:
        process = place.process
        if process is None:
            if not self._signals and now >= place.starts_at:
                self._start(place, now)
            return
        place.listen(now)
        code = process.poll()
        if code is None:
            self._end_if_it_hangs(place, process, now)
            return
        place.leave()
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
        place.voice, mouth = os.pipe()
        for end in (place.voice, mouth):
            os.set_blocking(end, False)
        try:
            place.process = subprocess.Popen(  # noqa: S603 - ourselves, with arguments that were checked
                [*self._command, str(mouth)],
                stdin=subprocess.PIPE,
                pass_fds=(mouth,),
                start_new_session=True,
            )
        finally:
            os.close(mouth)
        place.started_at = now
        facts = {"number": place.number, "pid": place.process.pid}
        logger.info("started a worker process", extra=facts)

    def _end_if_it_hangs(self, place: Place, process: subprocess.Popen[bytes], now: float) -> None:
        """Kill a process that has worked and says nothing any more: its lease is long over."""
        spoke_at = place.spoke_at
        if self._signals or spoke_at is None or now - spoke_at <= self._longest_silence:
            return
        facts = {"number": place.number, "pid": process.pid, "silence": self._longest_silence}
        logger.error("a worker process hangs, ending it", extra=facts)
        process.kill()
        place.spoke_at = None

    def _end_all(self, *, at_once: bool) -> None:
        for place in self._places:
            if place.process is not None and place.process.poll() is None:
                place.process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._signals += 1
