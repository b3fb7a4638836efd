"""How often somebody may try to log in: tokens cannot be guessed, but nobody should try long."""

from __future__ import annotations

from collections import deque
from typing import Final

MOST_CLIENTS: Final = 10_000
"""Clients that are kept in mind; the one that failed longest ago is forgotten first."""


class LoginAttempts:
    """Counts attempts that failed, of each client and of all of them.

    Args:
        of_client: Failures of one client that are let pass within the window.
        of_all: Failures of all clients together.
        window: Seconds after which a failure counts no more.
    """

    def __init__(self, *, of_client: int = 10, of_all: int = 100, window: float = 60) -> None:
        self._of_client = of_client
        self._window = window
        self._all: deque[float] = deque(maxlen=of_all)
        self._clients: dict[str, deque[float]] = {}

    def wait_before(self, client: str, *, now: float) -> float:
        """Seconds until the client may try; 0 for now. `now` is of a clock that never goes back."""
        waits = [self._wait(self._all, now)]
        if client in self._clients:
            waits.append(self._wait(self._clients[client], now))
        return max(waits)

    def failed(self, client: str, *, now: float) -> None:
        """Take note of an attempt that failed."""
        failures = self._clients.pop(client, None) or deque(maxlen=self._of_client)
        failures.append(now)
        self._clients[client] = failures
        self._all.append(now)
        if len(self._clients) > MOST_CLIENTS:
            del self._clients[next(iter(self._clients))]

    def succeeded(self, client: str) -> None:
        """Take back the newest failure of a client, which was none."""
        failures = self._clients.get(client)
        if not failures:
            return
        at = failures.pop()
        if not failures:
            del self._clients[client]
        if at in self._all:
            self._all.remove(at)

    def _wait(self, failures: deque[float], now: float) -> float:
        """The oldest of as many as may be must be out of the window."""
        if len(failures) < (failures.maxlen or 0):
            return 0.0
        return max(0.0, failures[0] + self._window - now)
