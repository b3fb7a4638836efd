"""Event streams on the server: what handlers give, what their callers send (WIRE.md 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Generator
from typing import Final

from durable_execution._codec import UNDEFINED, DecodeError, Encoded, Opaque, TypedJson
from durable_execution.orpc._protocol import (
    ByteStream,
    EventStream,
    FrameError,
    ORPCError,
    Return,
    Version,
    event_source,
)

EVENT_STREAM: Final = (
    ("content-type", "text/event-stream"),
    # Proxies that cache or collect what they pass on would hold the events back.
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)


_VALUES: Final = frozenset({bool, dict, Encoded, float, int, list, str, type(None)})


class EventInput:
    """What the events of a request's body mean to the handler that reads them.

    Args:
        typed_json: Reads envelopes.
        version: Knows what error objects look like.
        malformed: What to say of an envelope that cannot be read.
    """

    def __init__(self, typed_json: TypedJson, version: Version, malformed: str) -> None:
        self._typed_json = typed_json
        self._version = version
        self._malformed = malformed

    def value(self, data: bytes) -> object:
        """See `EventReader.value`."""
        try:
            value: object = self._typed_json.loads(data)
        except DecodeError as error:
            raise ORPCError("BAD_REQUEST", self._malformed) from error
        return value

    def error(self, data: bytes) -> Exception:
        """See `EventReader.error`."""
        value = self.value(data) if data else UNDEFINED
        found = self._version.error_from_json(value)
        return found or ORPCError("BAD_REQUEST", "An error event was received", data=value)

    def broken(self, error: FrameError) -> Exception:
        """See `EventReader.broken`."""
        return ORPCError("BAD_REQUEST", str(error))


class SteppedEvents:
    """Events of a plain generator, each made in a thread, where nothing can cancel it.

    What the generator returns is the return value of the stream.
    """

    def __init__(self, values: Generator[object, None, object]) -> None:
        self._values = values
        self._step: asyncio.Future[object] | None = None

    async def receive(self) -> object:
        """See `EventSource.receive`."""
        self._step = asyncio.ensure_future(asyncio.to_thread(_step, self._values))
        # The thread goes on when nobody waits for it any more.
        return await asyncio.shield(self._step)

    async def aclose(self) -> None:
        """Wait for the thread, then close the generator in one."""
        if self._step is not None:
            await asyncio.wait((self._step,))
            # What it still raised is nobody's any more, but has to be looked at.
            self._step.exception()
        await asyncio.to_thread(self._values.close)


def as_stream(output: object) -> EventStream[object] | None:
    """The output as an event stream, when a handler gave one."""
    if type(output) in _VALUES:  # most are, and the questions below take longer
        return None
    if isinstance(output, EventStream):
        return output
    if isinstance(output, Generator):
        return EventStream(SteppedEvents(output))
    if isinstance(output, AsyncIterable) and not isinstance(output, Opaque):
        return EventStream(event_source(output))
    return None


class Following:
    """A body that closes another one with itself: that of its request, which it may be made of."""

    def __init__(self, body: ByteStream, other: ByteStream) -> None:
        self._body = body
        self._other = other

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            await self._other.aclose()


def _step(values: Generator[object, None, object]) -> object:
    try:
        return next(values)
    except StopIteration as stop:
        return Return(UNDEFINED if stop.value is None else stop.value)
