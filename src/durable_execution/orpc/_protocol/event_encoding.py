"""A stream of events as a body: frames as they are made, comments while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Literal

from durable_execution.orpc._protocol.event_stream import Event, EventSource, Failure, Return
from durable_execution.orpc._protocol.events import Frame, check_line, encode_frame
from durable_execution.orpc._protocol.lockstep import IDLE, Lockstep


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStreamOptions:
    """How event streams are sent.

    Attributes:
        keep_alive: Seconds of silence after which a comment is sent, so that proxies and readers
            know the connection for alive; None for never.
        keep_alive_comment: Its text. No line breaks.
        initial_comment: Sent at once, so that the headers arrive before the first event; None
            sends nothing.

    Raises:
        ValueError: One of them is unusable.
    """

    keep_alive: float | None = 5.0
    keep_alive_comment: str = ""
    initial_comment: str | None = ""

    def __post_init__(self) -> None:
        if self.keep_alive is not None and not self.keep_alive > 0:
            raise ValueError(f"keep_alive: expected seconds > 0 or None, got {self.keep_alive!r}")
        check_line("comment", self.keep_alive_comment)
        check_line("comment", self.initial_comment or "")


class EncodedEvents:
    """The body of a request or response that is an event stream. Closing it closes the source.

    With a keep-alive the source runs in one task of its own, from its first event to its end;
    it goes on to the next event when the frame of the last one was taken.

    Args:
        source: The events.
        dumps: Writes the envelope of a value; empty bytes mean no data at all.
        error_of: Gives the error object for an exception that ends the stream.
        options: Comments.
        end: The name of the last event, which differs between versions of the wire; None where
            there is none.
    """

    def __init__(
        self,
        source: EventSource,
        *,
        dumps: Callable[[object], bytes],
        error_of: Callable[[BaseException], object],
        options: EventStreamOptions,
        end: Literal["done", "close"] | None = "done",
    ) -> None:
        self._source = source
        self._dumps = dumps
        self._error_of = error_of
        self._keep_alive = options.keep_alive
        self._idle_frame = encode_frame(Frame(comments=(options.keep_alive_comment,)))
        self._initial_comment = options.initial_comment
        self._end = end
        self._lockstep = Lockstep(source) if options.keep_alive is not None else None
        self._is_begun = False
        self._is_ended = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._is_begun:
            self._is_begun = True
            if self._initial_comment is not None:
                return encode_frame(Frame(comments=(self._initial_comment,)))
        if self._is_ended:
            raise StopAsyncIteration
        try:
            item = await self._next_item()
            return self._idle_frame if item is IDLE else self._encoded(item)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this: the application awaited something that was.
            return self._failed(error)
        except StopAsyncIteration:
            raise
        except Exception as error:
            return self._failed(error)

    async def aclose(self) -> None:
        """Close the source; an error it raises then is reported, there is nobody to be told."""
        self._is_ended = True
        try:
            await (self._source if self._lockstep is None else self._lockstep).aclose()
        except Exception as error:
            self._error_of(error)

    async def _next_item(self) -> object:
        if self._lockstep is None or self._keep_alive is None:
            return await self._source.receive()
        return await self._lockstep.receive(self._keep_alive)

    def _encoded(self, item: object) -> bytes:
        match item:
            case Event(value):
                return self._frame("message", value, item)
            case Return() if self._end is None:
                self._is_ended = True
                raise StopAsyncIteration
            case Return(value):
                frame = self._frame(self._end or "done", value, item)
                self._is_ended = True
                return frame
            case Failure():
                return self._failed(item.error, item)
            case _:
                return encode_frame(Frame("message", self._dumps(item) or None))

    def _frame(
        self, name: str, value: object, meta: Event[object] | Return[object] | Failure
    ) -> bytes:
        data = self._dumps(value) or None
        return encode_frame(Frame(name, data, meta.id, meta.retry_ms, meta.comments))

    def _failed(self, error: BaseException, meta: Failure | None = None) -> bytes:
        self._is_ended = True
        data = self._error_data(error)
        if meta is None:
            return encode_frame(Frame("error", data))
        return encode_frame(Frame("error", data, meta.id, meta.retry_ms, meta.comments))

    def _error_data(self, error: BaseException) -> bytes:
        try:
            return self._dumps(self._error_of(error))
        except Exception as failure:  # the data of the error cannot be encoded
            return self._dumps(self._error_of(failure))


NO_COMMENTS: Final = EventStreamOptions(keep_alive=None, initial_comment=None)
"""For streams nobody needs to be kept waiting for."""
