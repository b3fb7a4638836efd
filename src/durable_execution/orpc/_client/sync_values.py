"""Streams for code without an event loop: read as iterators, written from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from durable_execution.orpc._client.blocking import Runner
from durable_execution.orpc._protocol import Event, EventStream, OctetStream, Return

T = TypeVar("T")

_END: Final = object()


class SyncEventStream(Generic[T]):
    """The values of an event stream as they arrive, and what it returned at its end.

        with client.planets.watch(output=EventStream[Planet]) as planets:
            for planet in planets:
                ...
        print(planets.return_value)

    Everything is as with `EventStream`, but for the waiting.
    """

    __slots__ = ("_runner", "_stream")

    def __init__(self, stream: EventStream[T], runner: Runner) -> None:
        self._stream = stream
        self._runner = runner

    @property
    def return_value(self) -> Any:
        """See `EventStream.return_value`."""
        return self._stream.return_value

    @property
    def last_event_id(self) -> str | None:
        """See `EventStream.last_event_id`."""
        return self._stream.last_event_id

    @property
    def retry(self) -> float | None:
        """See `EventStream.retry`."""
        return self._stream.retry

    @property
    def is_ended(self) -> bool:
        """See `EventStream.is_ended`."""
        return self._stream.is_ended

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        value = self._runner.run(lambda: _next(self._stream))
        if value is _END:
            raise StopIteration
        return cast("T", value)

    def events(self) -> Iterator[Event[T]]:
        """See `EventStream.events`."""
        events = self._stream.events()
        while True:
            event = self._runner.run(lambda: _next(events))
            if event is _END:
                return
            yield cast("Event[T]", event)

    def close(self) -> None:
        """See `EventStream.aclose`."""
        self._runner.run(self._stream.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class SyncOctetStream:
    """The pieces of a stream of bytes as they arrive; to be closed when they are not all read.

    Everything is as with `OctetStream`, but for the waiting.
    """

    __slots__ = ("_pieces", "_runner", "_stream")

    def __init__(self, stream: OctetStream, runner: Runner) -> None:
        self._stream = stream
        self._pieces = aiter(stream)
        self._runner = runner

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._runner.run(lambda: _next(self._pieces))
        if piece is _END:
            raise StopIteration
        return cast("bytes", piece)

    def read(self) -> bytes:
        """See `OctetStream.read`."""
        return self._runner.run(self._stream.read)

    def close(self) -> None:
        """See `OctetStream.aclose`."""
        self._runner.run(self._stream.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def for_sync(value: Any, runner: Runner) -> Any:
    """A stream of events or of bytes as an iterator; anything else as it is."""
    if isinstance(value, EventStream):
        return SyncEventStream(value, runner)
    return SyncOctetStream(value, runner) if isinstance(value, OctetStream) else value


def from_sync(value: object) -> object:
    """An iterator as an event stream, read in a thread; anything else as it is."""
    return _iterated(value) if isinstance(value, Iterator) else value


async def _next(values: AsyncIterator[object]) -> object:
    return await anext(values, _END)


async def _iterated(values: Iterator[object]) -> AsyncIterator[object]:
    try:
        while True:
            item = await asyncio.to_thread(_next_of, values)
            if item is _END:
                return
            yield item
    finally:
        close = getattr(values, "close", None)
        if close is not None:
            await asyncio.to_thread(close)


def _next_of(values: Iterator[object]) -> object:
    try:
        return next(values)
    except StopIteration as stop:
        # What a generator returns is what the stream returns.
        return _END if stop.value is None else Return(stop.value)
