"""What an event stream is to those who write and read it: values, a return value, an end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from durable_execution._codec import UNDEFINED
from durable_execution.orpc._protocol.events import check_line, check_retry

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Meta:
    """What a frame carries besides its data."""

    __slots__ = ("comments", "id", "retry")

    def __init__(
        self,
        id: str | None = None,
        retry: float | timedelta | None = None,
        comments: Iterable[str] = (),
    ) -> None:
        if id is not None:
            if not isinstance(id, str):
                raise TypeError(f"id: expected str, got {type(id).__name__}")
            check_line("id", id)
        self.id = id
        self.retry = _seconds(retry)
        self.comments = tuple(check_line("comment", comment) for comment in comments)

    @property
    def retry_ms(self) -> int | None:
        return None if self.retry is None else round(self.retry * 1000)


class Event(_Meta, Generic[T_co]):
    """A value of an event stream with more than its data: `yield Event(planet, id="7")`.

    Values that need none of this are yielded as they are.

    Attributes:
        value: The value.
        id: What a reader that lost its connection sends back as `last_event_id`. No line breaks.
        retry: Seconds (or a timedelta) a reader is to wait before it comes back.
        comments: Texts no reader acts upon. No line breaks.

    Raises:
        TypeError, ValueError: One of them is unusable.
    """

    __slots__ = ("value",)
    __match_args__ = ("value",)

    value: T_co

    def __init__(
        self,
        value: T_co,
        *,
        id: str | None = None,
        retry: float | timedelta | None = None,
        comments: Iterable[str] = (),
    ) -> None:
        super().__init__(id, retry, comments)
        self.value = value

    def __repr__(self) -> str:
        return f"Event({self.value!r}, id={self.id!r})"


class Return(_Meta, Generic[T_co]):
    """The return value of an event stream: `yield Return(total)`, as the last thing.

    Python's async generators cannot return values, the streams of the wire can. A generator that
    yields this is closed; what follows the `yield` runs no more, but for its `finally` blocks.

    Attributes:
        value: What the reader finds in `EventStream.return_value`.
        id, retry, comments: As those of an `Event`.
    """

    __slots__ = ("value",)
    __match_args__ = ("value",)

    value: T_co

    def __init__(
        self,
        value: T_co,
        *,
        id: str | None = None,
        retry: float | timedelta | None = None,
        comments: Iterable[str] = (),
    ) -> None:
        super().__init__(id, retry, comments)
        self.value = value

    def __repr__(self) -> str:
        return f"Return({self.value!r})"


class Failure(_Meta):
    """An error that arrived as the last event of a stream; sources give it, nobody yields it."""

    __slots__ = ("error",)

    error: Exception

    def __init__(
        self,
        error: Exception,
        *,
        id: str | None = None,
        retry: float | None = None,
        comments: Iterable[str] = (),
    ) -> None:
        super().__init__(id, retry, comments)
        self.error = error


class EventSource(Protocol):
    """Where the events of a stream come from."""

    async def receive(self) -> object:
        """The next value, bare or in an `Event`; at the end a `Return` or a `Failure`.

        Not called again after these two, nor after an exception. Waiting for it may be cancelled
        and done again where the source says so.
        """
        ...

    async def aclose(self) -> None:
        """Give up what is left. Closing twice is allowed."""
        ...


class EventStream(Generic[T]):
    """The values of an event stream as they arrive, and what it returned at its end.

        async with await client.planets.watch(output=EventStream[Planet]) as planets:
            async for planet in planets:
                ...
        print(planets.return_value)

    Read once, by one reader at a time. An error of the other side is raised where the next value
    would have been. Close it unless it was read to its end: `async with` does.
    """

    __slots__ = ("_is_ended", "_is_read", "_last_event_id", "_retry", "_return_value", "_source")

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._is_ended = False
        self._is_read = False
        self._return_value: Any = UNDEFINED
        self._last_event_id: str | None = None
        self._retry: float | None = None

    @property
    def source(self) -> EventSource:
        """What to read it from instead, with the metadata of every event."""
        return self._source

    @property
    def return_value(self) -> Any:
        """What it returned; `UNDEFINED` before its end and when it returned nothing."""
        return self._return_value

    @property
    def last_event_id(self) -> str | None:
        """The id of the latest event that had one, errors included: where to resume."""
        return self._last_event_id

    @property
    def retry(self) -> float | None:
        """Seconds to wait before resuming, as the other side last asked for."""
        return self._retry

    @property
    def is_ended(self) -> bool:
        """Whether there is nothing more to read."""
        return self._is_ended

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        item = await self._next()
        return cast("T", item.value if isinstance(item, Event) else item)

    async def events(self) -> AsyncIterator[Event[T]]:
        """The values with their metadata; in place of iterating over the stream itself."""
        while True:
            try:
                item = await self._next()
            except StopAsyncIteration:
                return
            yield item if isinstance(item, Event) else Event(cast("T", item))

    async def aclose(self) -> None:
        """Give up what is left: the other side notices. Closing twice is allowed."""
        self._is_ended = True
        await self._source.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _next(self) -> object:
        if self._is_ended:
            raise StopAsyncIteration
        if self._is_read:
            raise RuntimeError("this event stream is being read by another task")
        self._is_read = True
        try:
            item = await self._source.receive()
        except Exception:
            await self.aclose()
            raise
        finally:
            self._is_read = False
        if isinstance(item, _Meta):
            self._note(item)
        if isinstance(item, Return):
            self._return_value = item.value
            await self.aclose()
            raise StopAsyncIteration
        if isinstance(item, Failure):
            await self.aclose()
            raise item.error
        return item

    def _note(self, meta: _Meta) -> None:
        if meta.id is not None:
            self._last_event_id = meta.id
        if meta.retry is not None:
            self._retry = meta.retry


def _seconds(retry: float | timedelta | None) -> float | None:
    if retry is None:
        return None
    seconds = retry.total_seconds() if isinstance(retry, timedelta) else retry
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"retry: expected seconds or a timedelta, got {type(retry).__name__}")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"retry: expected seconds >= 0, got {retry!r}")
    check_retry(round(seconds * 1000))
    return seconds
