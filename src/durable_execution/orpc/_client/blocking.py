"""Calls in the thread of whoever makes them, over a sender that blocks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from inspect import isawaitable
from time import monotonic
from typing import Any, Final, Protocol, TypeVar

from durable_execution._waiting import Blocking, blocking
from durable_execution.orpc._client.portal import Portal, in_caller
from durable_execution.orpc._client.sender import BlockingSender, Sender
from durable_execution.orpc._protocol import (
    ByteStream,
    Request,
    Response,
)

T = TypeVar("T")

_EXPIRED: Final = object()


class Runner(Protocol):
    """Runs coroutines for callers that wait in a thread."""

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end, and give what it gives."""
        ...


class BlockingCalls(Blocking):
    """Makes the calls of one link in the threads that call.

    Only what needs an event loop goes to the portal: a body that is made while it is sent, and
    asynchronous functions of the application.

    Args:
        name: What errors call it.
        portal: Has the event loop.
        sender: Owned.
    """

    def __init__(self, name: str, portal: Portal, sender: BlockingSender) -> None:
        self._name = name
        self._portal = portal
        self._sender = sender
        self._is_closed = False
        self._closing = threading.Event()
        self._process = os.getpid()

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """See `Runner.run`.

        Raises:
            RuntimeError: This is closed, or was while the coroutine ran.
            BaseException: What the coroutine raises.
        """
        if self._is_closed:
            raise RuntimeError(f"{self._name} is closed")
        try:
            return self.complete(function)
        except RuntimeError as error:
            if self._is_closed:
                raise RuntimeError(f"{self._name} was closed while a call was under way") from error
            raise

    def pause(self, seconds: float) -> None:
        """See `Blocking.pause`.

        Raises:
            RuntimeError: It was closed meanwhile.
        """
        if self._process != os.getpid():
            # A thread that is not here any more may have held its lock.
            self._process, self._closing = os.getpid(), threading.Event()
        if self._closing.wait(seconds):
            raise RuntimeError(f"{self._name} is closed")

    def send(self, request: Request, *, max_response_size: int) -> Response:
        """See `BlockingSender.send`, for a request that is whole; within the limits around it."""
        left = self.time_left()
        try:
            return self._sender.send(request, max_response_size=max_response_size, timeout=left)
        except TimeoutError as error:
            raise self.expired() from error

    def send_elsewhere(
        self, request: Request, sender: Sender, *, max_response_size: int
    ) -> Response:
        """Send a request under the event loop, and read its answer there."""
        response = self.outside(lambda: sender.send(request, max_response_size=max_response_size))
        if isinstance(response.body, bytes):
            return response
        return response.replace(body=_BodyElsewhere(response.body, self))

    def outside(self, function: Callable[[], Awaitable[T]]) -> T:
        """Wait, within the limits around this, for something that needs an event loop."""
        end = self.end()

        async def limited() -> object:
            # It is begun in any case, so that nothing is left that was never awaited.
            left = None if end is None else max(0.0, end - monotonic())
            try:
                async with asyncio.timeout(left) as limit:
                    return await function()
            except TimeoutError:
                if limit.expired():
                    return _EXPIRED
                raise

        value = self._portal.run(limited)
        if value is _EXPIRED:
            raise self.expired()
        return value  # type: ignore[return-value]  # what the function gave

    def close(self) -> None:
        """Close the sender: calls under way are ended, later ones refused."""
        self._is_closed = True
        if self._process == os.getpid():
            self._closing.set()
        self._sender.close()


async def answer_of(function: Callable[[], T | Awaitable[T]]) -> T:
    """What a function of the application gives, sync or async, asked in its caller's thread."""
    answer = await in_caller(function)
    if not isawaitable(answer):
        return answer
    awaitable: Awaitable[T] = answer
    here = blocking()
    if not isinstance(here, BlockingCalls):
        return await awaitable
    return here.outside(lambda: awaitable)


class _BodyElsewhere:
    """A body that arrives under the event loop, for a thread that reads it."""

    def __init__(self, body: ByteStream, calls: BlockingCalls) -> None:
        self._body = body
        self._pieces = aiter(body)
        self._calls = calls

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        async def piece() -> bytes | None:
            return await anext(self._pieces, None)

        found = self._calls.outside(piece)
        if found is None:
            raise StopAsyncIteration
        return found

    async def aclose(self) -> None:
        self._calls.outside(self._body.aclose)
