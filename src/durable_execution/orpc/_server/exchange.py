"""One exchange over ASGI: its body read, its caller watched, its answer sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final, TypeAlias

from durable_execution.orpc._protocol import (
    JSON_HEADERS,
    BodyTooLargeError,
    ByteStream,
    Headers,
    Response,
    close_body,
)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_NO_CONTENT: Final = 204


_UNWATCHED: Final = 0.05
"""Seconds for which an answer is made before anybody looks whether its caller has left; twice as
many at the most."""


class CallerGoneError(ConnectionError):
    """The caller closed the connection; there is nobody to answer."""


class Caller:
    """The far end of one exchange.

    Its body is read in one of two ways: all of it at once and before anything else, by `whole`;
    or piece by piece while the answer is made, through `body`. Either way `while_waiting` notices
    when it leaves.

    Args:
        receive: What the server gives.
        send: What the server takes.
        soon: Shared by all that one handler answers.
    """

    __slots__ = ("_receive", "_send", "_soon", "_stream")

    def __init__(self, receive: Receive, send: Send, soon: Soon) -> None:
        self._receive = receive
        self._send = send
        self._soon = soon
        self._stream: _Incoming | None = None

    async def whole(self, limit: int) -> bytes:
        """The complete body, never more of it than the limit.

        Raises:
            BodyTooLargeError: It is larger than `limit` bytes; reading stopped there.
            CallerGoneError: The caller left before the end of it.
        """
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGoneError
            piece: bytes = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise BodyTooLargeError
            if not message.get("more_body", False):
                return b"".join([*pieces, piece]) if pieces else bytes(piece)
            pieces.append(piece)

    def body(self) -> ByteStream:
        """The body, to be read inside `while_waiting`; one piece of it is held until asked for."""
        self._stream = _Incoming()
        return self._stream

    async def while_waiting(
        self, answering: Coroutine[Any, Any, None], task: asyncio.Task[Any] | None = None
    ) -> None:
        """Make and send the answer, and cancel that when the caller closes the connection.

        The answer is made in the current task. Most are made before a watch on the caller is worth
        a task of its own; one that has left is noticed then all the same.

        Args:
            answering: Makes the answer and sends it.
            task: The current task, of whoever knows it already: to ask for it takes as long as
                all else that is done here.
        """
        watch = _Watch(self._until_gone, task or asyncio.current_task())
        if self._stream is None:
            self._soon.begin(watch)
        else:
            watch.begin()  # which also brings the pieces of the stream
        try:
            await answering
        except asyncio.CancelledError:
            if not watch.has_cancelled_alone:
                raise
        finally:
            ending = watch.end()
            if ending is not None:
                await asyncio.gather(ending, return_exceptions=True)
            if self._stream is not None:
                self._stream.abandon()

    async def answer(self, response: Response, method: str) -> None:
        """Send a response, a streamed one as it is made; closes its body."""
        # HEAD runs the procedure (WIRE.md 5.4); only the body of the answer stays here.
        has_body = method != "HEAD"
        if response.headers is JSON_HEADERS:
            headers = [*_ENCODED_JSON_HEADERS]
        else:
            headers = _encoded(response.headers)
        body = response.body
        if isinstance(body, bytes):
            if response.status != _NO_CONTENT:  # which has no length either
                headers.append((b"content-length", b"%d" % len(body)))
            await self._send(_start(response.status, headers))
            await self._send({"type": "http.response.body", "body": body if has_body else b""})
            return
        try:
            await self._send(_start(response.status, headers))
            if has_body:
                async for piece in body:
                    await self._send(
                        {"type": "http.response.body", "body": piece, "more_body": True}
                    )
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            await close_body(body)

    async def _until_gone(self) -> None:
        while (message := await self._receive())["type"] != "http.disconnect":
            if self._stream is not None:
                is_last = not message.get("more_body", False)
                await self._stream.feed(message.get("body", b""), is_last=is_last)


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


_ENCODED_JSON_HEADERS: Final = tuple(_encoded(JSON_HEADERS))


class _Watch:
    """Cancels the task that it is made in when something happens, once it has begun."""

    __slots__ = (
        "_cancellations",
        "_has_cancelled",
        "_is_over",
        "_task",
        "_until",
        "_watching",
        "place",
    )

    def __init__(
        self, until: Callable[[], Coroutine[Any, Any, None]], task: asyncio.Task[Any] | None
    ) -> None:
        self._until = until
        self._watching: asyncio.Task[None] | None = None
        self._has_cancelled = self._is_over = False
        self.place: dict[_Watch, None] | None = None
        """Where it waits for its beginning."""
        self._task = task
        self._cancellations = 0 if task is None else task.cancelling()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where it is made."""
        task = self._task
        return asyncio.get_running_loop() if task is None else task.get_loop()

    @property
    def has_cancelled_alone(self) -> bool:
        """Whether the cancellation that arrived is this one, and no other came with it."""
        others = 0 if self._task is None else self._task.cancelling() - self._cancellations
        return self._has_cancelled and others <= 1

    def begin(self) -> None:
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    def end(self) -> asyncio.Task[None] | None:
        """Cancel nothing any more; what is returned is still on its way to its end."""
        self._is_over = True
        if self.place is not None:
            del self.place[self]
        if self._has_cancelled and self._task is not None:
            self._task.uncancel()
        if self._watching is not None:
            self._watching.cancel()
        return self._watching

    async def _watch(self) -> None:
        await self._until()
        if not self._is_over and self._task is not None:
            self._has_cancelled = True
            self._task.cancel()


class Soon:
    """Begins watches after a moment or two, unless they are over: one timer for all.

    It keeps nothing of those that are over, which are nearly all.
    """

    __slots__ = ("_loop", "_old", "_young")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        """Where the timer is set."""
        self._young: dict[_Watch, None] = {}
        self._old: dict[_Watch, None] = {}

    def begin(self, watch: _Watch) -> None:
        loop = watch.loop
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                watch.place = {watch: None}
                loop.call_later(_UNWATCHED, _begin, watch.place)
                return
            self._loop, self._young, self._old = loop, {}, {}
            loop.call_later(_UNWATCHED, self._ring, loop)
        watch.place = self._young
        watch.place[watch] = None

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        _begin(self._old)
        self._old, self._young = self._young, {}
        if self._old:
            loop.call_later(_UNWATCHED, self._ring, loop)
        else:
            self._loop = None


def _begin(watches: dict[_Watch, None]) -> None:
    for watch in watches:
        watch.place = None
        watch.begin()


class _Incoming:
    """A body that passes from the watch on the caller to whoever reads it, piece by piece.

    The watch waits while a piece is not taken, so a slow reader slows its sender down. It notices
    a caller that leaves at any other moment.
    """

    def __init__(self) -> None:
        self._piece = b""
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._is_complete = False
        self._is_lost = False
        self._is_closed = False

    async def feed(self, piece: bytes, *, is_last: bool) -> None:
        self._piece = b"" if self._is_closed else piece
        self._is_complete = is_last
        if self._piece:
            self._taken.clear()
        self._changed.set()
        if self._piece:
            await self._taken.wait()

    def abandon(self) -> None:
        """The exchange is over: whoever still reads, in a task of its own, hears of it."""
        self._is_lost = True
        self._changed.set()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._piece:
            if self._is_complete or self._is_closed:
                raise StopAsyncIteration
            if self._is_lost:
                raise CallerGoneError("the exchange ended before its body was read")
            self._changed.clear()
            await self._changed.wait()
        piece, self._piece = self._piece, b""
        self._taken.set()
        return piece

    async def aclose(self) -> None:
        """What still arrives is dropped."""
        self._is_closed = True
        self._piece = b""
        self._taken.set()
        self._changed.set()
