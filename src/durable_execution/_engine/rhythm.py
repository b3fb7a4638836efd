"""What paces the heart: a thread with an event loop of its own, or a simulation's stand-in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Protocol


class Rhythm(Protocol):
    """Runs the beating away from the executor's event loop, and wakes it for an early beat."""

    def start(self, beating: Callable[[], Coroutine[None, None, None]], *, name: str) -> None:
        """Begin to run `beating`, once."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait that long, or until `hasten`. Called by the beating alone."""
        ...

    def hasten(self) -> None:
        """End the pause, this one or the next. Safe in any thread."""
        ...

    async def ended(self) -> None:
        """Wait, on the executor's event loop, until the beating has returned."""
        ...


class ThreadRhythm:
    """A daemon thread, so that a busy event loop does not keep the heart from beating."""

    def __init__(self) -> None:
        self._hastened = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, beating: Callable[[], Coroutine[None, None, None]], *, name: str) -> None:
        """Begin to run `beating`, once."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(beating()), name=name, daemon=True
        )
        self._thread.start()

    async def pause(self, seconds: float) -> None:
        """Block the thread: nothing else is on its event loop."""
        self._hastened.wait(seconds)
        self._hastened.clear()

    def hasten(self) -> None:
        """End the pause, this one or the next."""
        self._hastened.set()

    async def ended(self) -> None:
        """Wait until the thread is gone."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
