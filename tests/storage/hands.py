"""A clock that stands still until a test moves it."""

from __future__ import annotations


class HandClock:
    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    async def advance(self, milliseconds: int) -> None:
        self.now += milliseconds
