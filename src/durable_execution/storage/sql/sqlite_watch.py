"""Noticing that another process wrote to an SQLite file, without asking the database.

SQLite has no notifications. The file and its write-ahead log are looked at with `stat`, a few
microseconds each time; only when they have changed is the connection asked for its
`data_version`, which moves for every commit but its own.

Where there was a change another one is likely: what waits for the answer to something it wrote
should not wait for the next look. So looks follow one another closely after each change, and then
ever less so: within a tenth of a second 25 milliseconds apart, and 50 when all has been quiet for a
quarter of a minute.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from durable_execution.errors import StorageError

SHORTEST_INTERVAL: Final = 0.002
INTERVAL: Final = 0.025
"""Seconds from one look to the next, when nothing has changed for a moment."""
LONGEST_INTERVAL: Final = 0.05
_GROWTH: Final = 1.5
_SLOW_GROWTH: Final = 1.002
"""From the one interval to the other: some 350 looks."""
_UNSETTLED_NS: Final = 50_000_000
"""Files changed as lately as this are looked at again: another change may bear the same time."""

_Signature = tuple[tuple[int, int], ...]


class FileWatch:
    """Calls back on the running event loop after others have written.

    Args:
        paths: The files to look at; they need not exist.
        ask_version: Asks for the connection's `data_version`.
        on_change: Called on the event loop that was running at construction.
    """

    def __init__(
        self,
        paths: tuple[Path, ...],
        ask_version: Callable[[], Future[object]],
        on_change: Callable[[], None],
    ) -> None:
        self._paths = tuple(map(str, paths))  # which `os.stat` takes as they are
        self._ask_version = ask_version
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._signature: _Signature | None = None
        self._version: object = None
        self._interval = INTERVAL
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._ask()

    def stop(self) -> None:
        """End the watch. May be called again, and from callbacks."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        signature = self._stat()
        if signature is not None and signature == self._signature:
            self._wait()
            return
        self._signature = signature
        self._ask()

    def _ask(self) -> None:
        try:
            asked = self._ask_version()
        except StorageError:  # closed meanwhile
            self.stop()
            return
        asked.add_done_callback(self._pass_on)

    def _pass_on(self, asked: Future[object]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._answered, asked)
        except RuntimeError:  # the loop has ended
            self._is_stopped = True

    def _answered(self, asked: Future[object]) -> None:
        if self._is_stopped:
            return
        if asked.cancelled() or asked.exception() is not None:
            self._wait()
            return
        before, self._version = self._version, asked.result()
        has_changed = before is not None and before != self._version
        if has_changed:
            self._interval = SHORTEST_INTERVAL
        self._wait()
        if has_changed:
            self._on_change()

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._interval, self._look)
        if self._interval < INTERVAL:
            self._interval = min(self._interval * _GROWTH, INTERVAL)
        else:
            self._interval = min(self._interval * _SLOW_GROWTH, LONGEST_INTERVAL)

    def _stat(self) -> _Signature | None:
        """Return what tells one state of the files from another, None while they are changing."""
        now = time.time_ns()
        signature: list[tuple[int, int]] = []
        for path in self._paths:
            try:
                stat = os.stat(path)  # noqa: PTH116 - a third of what `Path.stat` costs
            except OSError:
                signature.append((0, 0))
                continue
            if 0 <= now - stat.st_mtime_ns < _UNSETTLED_NS:
                return None
            signature.append((stat.st_mtime_ns, stat.st_size))
        return tuple(signature)
