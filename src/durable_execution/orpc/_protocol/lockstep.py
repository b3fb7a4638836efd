"""A source in a task of its own, one event at a time."""

from __future__ import annotations

import asyncio
from typing import Final

from durable_execution.orpc._protocol.event_stream import EventSource, Failure, Return

IDLE: Final = object()
"""Nothing happened within the time asked for."""

_NOTHING: Final = object()


class Lockstep:
    """Lets a reader stop waiting for an event without cancelling what makes it.

    All of the source runs in one task, closing it included, so that timeouts, cancel scopes and
    context variables of a generator work across its `yield`s. It never runs ahead: the next event
    is begun when it is asked for.
    """

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._task: asyncio.Task[None] | None = None
        self._item: object = _NOTHING
        self._is_asked = False
        self._waiting: asyncio.Future[None] | None = None
        self._asked: asyncio.Future[None] | None = None
        self._is_closing = False

    async def receive(self, within: float) -> object:
        """The next event as of `EventSource.receive`, or `IDLE` after `within` seconds.

        An exception of the source arrives as a `Failure`. Cancelling loses nothing.
        """
        self._ask()
        if self._item is _NOTHING:
            # Not `asyncio.wait`, which takes longer than all the rest of this.
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(within, _wake, self._waiting)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None
        if self._item is _NOTHING:
            return IDLE
        item, self._item = self._item, _NOTHING
        self._is_asked = False
        return item

    async def aclose(self) -> None:
        """Cancel what the source waits for, close it, and wait for that.

        Raises:
            Exception: What the source raised while it was closed.
        """
        if self._task is None:
            await self._source.aclose()
            return
        self._is_closing = True
        self._task.cancel()
        [ended_by] = await asyncio.gather(self._task, return_exceptions=True)
        # When the task was cancelled before it began, nobody has closed the source.
        await self._source.aclose()
        if isinstance(ended_by, Exception):
            raise ended_by
        if isinstance(self._item, Failure):  # and nobody will read it any more
            raise self._item.error

    def _ask(self) -> None:
        if self._is_asked:
            return
        self._is_asked = True
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        elif self._asked is not None:
            self._asked.set_result(None)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                item = await self._next()
                self._asked = loop.create_future()
                self._item = item
                if self._waiting is not None:
                    _wake(self._waiting)
                # A generator may have kept its cancellation to itself.
                if self._is_closing or isinstance(item, Return | Failure):
                    return
                await self._asked
        finally:
            await self._source.aclose()

    async def _next(self) -> object:
        try:
            return await self._source.receive()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this: the application awaited something that was.
            failure = RuntimeError("the event stream awaited something that was cancelled")
            failure.__cause__ = error
            return Failure(failure)
        except Exception as error:
            return Failure(error)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
