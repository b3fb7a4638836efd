"""Where events come from: a generator, the bytes of a body, or another source."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from typing import Final, Protocol, TypedDict

from durable_execution._codec import UNDEFINED
from durable_execution._waiting import timeout
from durable_execution.orpc._protocol.event_stream import (
    Event,
    EventSource,
    EventStream,
    Failure,
    Return,
)
from durable_execution.orpc._protocol.events import Frame, FrameDecoder, FrameError
from durable_execution.orpc._protocol.stream import Body, ByteStream, close_body

# How long to wait for the end of a body whose last event is here, so that its connection can be
# used again, and how much of it to read.
_GRACE: Final = 0.1
_MOST_AFTER_END: Final = 64 * 1024


def event_source(stream: AsyncIterable[object]) -> EventSource:
    """The source behind an event stream, or one that draws from an async iterable."""
    return stream.source if isinstance(stream, EventStream) else GeneratedEvents(stream)


class GeneratedEvents:
    """Events from an async iterable of the application, such as an async generator.

    Ends with what `yield Return(value)` or, in an iterator written as a class,
    `raise StopAsyncIteration(value)` says.
    """

    def __init__(self, values: AsyncIterable[object]) -> None:
        self._values: AsyncIterator[object] = aiter(values)

    async def receive(self) -> object:
        """See `EventSource.receive`; cancelling ends a generator."""
        try:
            return await anext(self._values)
        except StopAsyncIteration as stop:
            return Return(stop.args[0] if stop.args else UNDEFINED)

    async def aclose(self) -> None:
        """See `EventSource.aclose`."""
        close = getattr(self._values, "aclose", None)
        if close is not None:
            await close()


class EventReader(Protocol):
    """What the events of a body mean to the side that reads them."""

    def value(self, data: bytes) -> object:
        """The value in an envelope; raises what its reader is to see."""
        ...

    def error(self, data: bytes) -> Exception:
        """The error in an envelope; raises what its reader is to see."""
        ...

    def broken(self, error: FrameError) -> Exception:
        """What a reader is to see in place of this."""
        ...


class DecodedEvents:
    """Events from a body; waiting for the next may be cancelled and done again."""

    def __init__(self, body: Body, reader: EventReader, *, max_size: int) -> None:
        self._body = body
        self._pieces = aiter(_streamed(body))
        self._reader = reader
        self._decoder = FrameDecoder(max_size)
        self._frames: deque[Frame] = deque()
        self._is_done = False

    async def receive(self) -> object:
        """See `EventSource.receive`."""
        while True:
            while self._frames:
                item = self._item(self._frames.popleft())
                if item is not _NOTHING:
                    return item
            try:
                piece = await anext(self._pieces, None)
                if piece is None:
                    self._decoder.finish()
                    return Return(UNDEFINED)
                self._frames.extend(self._decoder.feed(piece))
            except FrameError as error:
                raise self._reader.broken(error) from error

    async def aclose(self) -> None:
        """See `EventSource.aclose`."""
        if self._is_done:
            self._is_done = False
            # It may break now, or go on: what it said last is what counts.
            with suppress(Exception):
                await self._read_rest()
        await close_body(self._body)

    def _item(self, frame: Frame) -> object:
        match frame.event:
            case None | "message":
                # A comment, or an id on its own, is not an event.
                if frame.data is None and frame.event is None:
                    return _NOTHING
                value = self._value(frame)
                if frame.id is None and frame.retry is None and not frame.comments:
                    return value
                return Event(value, **_meta(frame))
            case "done" | "close":
                self._is_done = True
                return Return(self._value(frame), **_meta(frame))
            case "error":
                self._is_done = True
                error = self._reader.error(frame.data or b"")
                return Failure(error, **_meta(frame))
            case _:
                return _NOTHING

    def _value(self, frame: Frame) -> object:
        return self._reader.value(frame.data) if frame.data else UNDEFINED

    async def _read_rest(self) -> None:
        async with timeout(_GRACE):
            size = 0
            async for piece in self._pieces:
                size += len(piece)
                if size > _MOST_AFTER_END:
                    return


class MappedEvents:
    """Events of another source, each changed on its way.

    Args:
        source: Where they come from; closed with this one.
        value: Changes every value.
        returned: Changes the return value.
        error: Gives the error to raise in place of one that ends the stream.
    """

    def __init__(
        self,
        source: EventSource,
        *,
        value: Callable[[object], object] | None = None,
        returned: Callable[[object], object] | None = None,
        error: Callable[[Exception], Exception] | None = None,
    ) -> None:
        self._source = source
        self._value = value
        self._returned = returned
        self._error = error

    async def receive(self) -> object:
        """See `EventSource.receive`; it may be cancelled when that of the inner source may."""
        try:
            return self._mapped(await self._source.receive())
        except Exception as error:
            if self._error is None:
                raise
            changed = self._error(error)
            if changed is error:
                raise
            raise changed from error

    async def aclose(self) -> None:
        """See `EventSource.aclose`."""
        await self._source.aclose()

    def _mapped(self, item: object) -> object:
        if isinstance(item, Failure):
            if self._error is None:
                return item
            error = self._error(item.error)
            return Failure(error, id=item.id, retry=item.retry, comments=item.comments)
        if isinstance(item, Return):
            if self._returned is None:
                return item
            value = self._returned(item.value)
            return Return(value, id=item.id, retry=item.retry, comments=item.comments)
        if self._value is None:
            return item
        if isinstance(item, Event):
            value = self._value(item.value)
            return Event(value, id=item.id, retry=item.retry, comments=item.comments)
        return self._value(item)


_NOTHING: Final = object()


class _Single:
    """A complete body as a stream of one piece."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()

    async def aclose(self) -> None:
        self._pieces.clear()


def _streamed(body: Body) -> ByteStream:
    return _Single(body) if isinstance(body, bytes) else body


class _FrameMeta(TypedDict):
    id: str | None
    retry: float | None
    comments: tuple[str, ...]


def _meta(frame: Frame) -> _FrameMeta:
    retry = None if frame.retry is None else frame.retry / 1000
    return {"id": frame.id, "retry": retry, "comments": frame.comments}
