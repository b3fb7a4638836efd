"""Event streams that outlive their connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from durable_execution.orpc._client.error import RPCConnectionError, RPCTimeoutError
from durable_execution.orpc._client.timeout import Timeout, seconds_of
from durable_execution.orpc._protocol import (
    Event,
    EventSource,
    EventStream,
    Failure,
    Return,
    event_source,
)

T = TypeVar("T")

# Readers that lost one server must not all come back in the same moment.
_SPREAD = 1.5


def resuming(
    call: Callable[[str | None], Awaitable[EventStream[T]]],
    *,
    delay: Timeout = 2.0,
    max_failures: int | None = None,
) -> EventStream[T]:
    """An event stream that is opened again where its connection breaks.

        log = resuming(lambda after: client.follow(last_event_id=after, output=EventStream[str]))
        async with log as lines:
            async for line in lines: ...

    Nothing is lost or doubled where the procedure gives its events ids and goes on after
    `ctx.last_event_id`; without ids it begins anew each time. What the server says is never tried
    again: an `ORPCError`, the end of the stream. The first connection is made by the first read.

    Args:
        call: Makes the call; given the id of the last event that had one, None at first.
        delay: Seconds or a timedelta before opening it again, unless the stream asked for another
            pause by `retry`; up to half as long again, by chance.
        max_failures: How often in a row it may break, or not be opened, before that is raised;
            None for any number. An event that arrives begins the count anew.

    Raises:
        TypeError, ValueError: An argument is unusable.
    """
    seconds = seconds_of(delay, "delay")
    if seconds is None:
        raise ValueError("delay: expected more than zero seconds, got None")
    if max_failures is not None and (type(max_failures) is not int or max_failures < 0):
        raise ValueError(f"max_failures: expected an int >= 0 or None, got {max_failures!r}")
    return EventStream(_Resuming(call, seconds, max_failures))


class _Resuming:
    """Events of one stream after another."""

    def __init__(
        self,
        call: Callable[[str | None], Awaitable[EventStream[Any]]],
        delay: float,
        max_failures: int | None,
    ) -> None:
        self._call = call
        self._delay = delay
        self._max_failures = max_failures
        self._failures = 0
        self._source: EventSource | None = None
        self._last_event_id: str | None = None
        self._pause = 0.0

    async def receive(self) -> object:
        """See `EventSource.receive`; waiting may be given up and done again."""
        while True:
            # Before anything else, so that a wait that was given up is made up for.
            await asyncio.sleep(self._pause)
            self._pause = 0.0
            try:
                if self._source is None:
                    self._source = event_source(await self._call(self._last_event_id))
                item = await self._source.receive()
            except (RPCConnectionError, RPCTimeoutError):
                await self.aclose()
                self._failures += 1
                if self._max_failures is not None and self._failures > self._max_failures:
                    raise
                self._pause = self._delay * random.uniform(1, _SPREAD)  # noqa: S311 - no secret
            else:
                self._failures = 0
                self._note(item)
                return item

    async def aclose(self) -> None:
        """See `EventSource.aclose`."""
        source, self._source = self._source, None
        if source is not None:
            await source.aclose()

    def _note(self, item: object) -> None:
        if isinstance(item, Event | Failure | Return):
            if item.id is not None:
                self._last_event_id = item.id
            if item.retry is not None:
                self._delay = item.retry
