"""A source in a task of its own, one event at a time."""

from __future__ import annotations

import asyncio
from typing import Final

from durable_execution.orpc._protocol.event_stream import EventSource, Failure, Return

IDLE: Final = object()
"""Nothing happened within the time asked for."""


class Lockstep:
    """Lets a reader stop waiting for an event without cancelling what makes it.

    All of the source runs in one task, closing it included, so that timeouts, cancel scopes and
    context variables of a generator work across its `yield`s. It never runs ahead: the next event
    is begun when it is asked for.
    """

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._task: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[object] | None = None
        self._asked: asyncio.Future[None] | None = None
        self._is_closing = False

    async def receive(self, within: float) -> object:
        """The next event as of `EventSource.receive`, or `IDLE` after `within` seconds.

        An exception of the source arrives as a `Failure`. Cancelling loses nothing.
        """
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.create_task(self._run())
            elif self._asked is not None:
                self._asked.set_result(None)
        answer = self._answer
        if not answer.done():
            await asyncio.wait((answer,), timeout=within)
        if not answer.done():
            return IDLE
        self._answer = None
        return answer.result()

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
        unread = self._answer.result() if self._answer is not None and self._answer.done() else None
        if isinstance(unread, Failure):
            raise unread.error

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                item = await self._next()
                self._asked = loop.create_future()
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(item)
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
