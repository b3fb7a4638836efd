"""A body in pieces that knows what was read of it and how often it was closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable


class Pieces:
    def __init__(self, pieces: Iterable[bytes], failure: Exception | None = None) -> None:
        self._pieces = list(pieces)
        self._failure = failure
        self.times_closed = 0

    @property
    def left(self) -> int:
        return len(self._pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.times_closed += 1
