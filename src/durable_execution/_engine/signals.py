"""The signals that a task's context carries: set once, seen by coroutines and threads alike."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

import msgspec

_LOCK: Final = threading.Lock()
"""Guards the creation of waiting places; shared, because that is rare and short."""


class OneShot(msgspec.Struct, eq=False):
    """A `Signal` that costs next to nothing until somebody waits for it."""

    _is_set: bool = False
    _event: threading.Event | None = None
    _futures: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Make it happen. Safe in any thread, harmless when repeated."""
        with _LOCK:
            self._is_set = True
            futures, self._futures = self._futures, None
        if self._event is not None:
            self._event.set()
        for future in futures or ():
            future.get_loop().call_soon_threadsafe(_settle, future)

    async def wait(self) -> None:
        """Wait on the event loop until it happens."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with _LOCK:
            if self._is_set:
                return
            self._futures = self._futures or []
            self._futures.append(future)
        try:
            await future
        finally:
            # A signal may outlive many who waited for it in vain.
            self._leave(future)

    def _leave(self, future: asyncio.Future[None]) -> None:
        with _LOCK:
            if self._futures is not None and future in self._futures:
                self._futures.remove(future)

    def wait_in_thread(self, timeout: float | None = None) -> bool:
        """Block this thread until it happens or `timeout` seconds passed."""
        with _LOCK:
            if self._is_set:
                return True
            event = self._event = self._event or threading.Event()
        return event.wait(timeout)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
