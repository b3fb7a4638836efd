"""A clock that stands still until a test lets time pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_START: Final = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    """A clock for storages: `InMemoryStorage(clock=clock)`, `open_storage(url, clock=clock)`.

    An executor reads its storage's clock with each beat of its heart, four times in a lease, and in
    between goes on by its own: advance by a little more than what is to become due. Its waits are
    real: what has become due starts with its next claim, within its `poll_interval`. Advance by
    less than the lease at once, or the executor counts as dead until its next beat.

    Args:
        start: The first instant that it shows; an aware datetime.
    """

    def __init__(self, start: datetime = _START) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start must be an aware datetime, got {start!r}")
        self._now = round(start.timestamp() * 1000)

    def __call__(self) -> int:
        """Return the milliseconds since the epoch. Safe in any thread."""
        return self._now

    @property
    def now(self) -> datetime:
        """The instant that it shows, in UTC."""
        return datetime.fromtimestamp(self._now / 1000, UTC)

    def advance(self, seconds: float | timedelta) -> None:
        """Let that much time pass; whole milliseconds do.

        Raises:
            ValueError: Time would run backwards.
        """
        duration = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if duration < timedelta():
            raise ValueError(f"time cannot be advanced by {seconds!r}: it does not run backwards")
        self._now += round(duration / timedelta(milliseconds=1))
