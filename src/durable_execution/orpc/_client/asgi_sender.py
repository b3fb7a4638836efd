"""A sender without a network: the ASGI application is called in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

from durable_execution.orpc._client.error import RPCConnectionError, RPCResponseError
from durable_execution.orpc._client.sender import too_large
from durable_execution.orpc._protocol import Headers, Request, Response, close_body, is_streamed

_logger = logging.getLogger(__name__)

_Message = MutableMapping[str, Any]  # ASGI's own type: what a key holds depends on `type`
_App = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]],
    Awaitable[None],
]


class AsgiSender:
    """Calls an ASGI application directly: for tests, and for two halves in one process.

    The application runs in a task of its own; giving up the call, or closing the body of its
    answer, cancels that task and waits for it. A piece of a streamed answer is made when the one
    before it was read. Lifespan events are not sent; whoever owns the application starts it.
    """

    def __init__(self, app: _App) -> None:
        self._app = app
        self._is_closed = False

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        """See `Sender.send`."""
        if self._is_closed:
            await close_body(request.body)
            raise RuntimeError("AsgiSender is closed")
        exchange = _Exchange(request, max_response_size)
        running = asyncio.create_task(self._run(_scope(request), exchange))
        try:
            await exchange.begun.wait()
            if exchange.is_streaming:
                return exchange.streaming(running)
            await running
            return exchange.complete()
        except BaseException:
            await _stop(running)
            raise

    async def aclose(self) -> None:
        """See `Sender.aclose`."""
        self._is_closed = True

    async def _run(self, scope: _Message, exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            # Over a socket the caller would see the answer, and the server's log the traceback.
            if not exchange.has_ended:
                message = "The application failed before its answer was complete"
                exchange.fail(RPCConnectionError(message, was_sent=True), error)
            elif exchange.is_complete:
                _logger.exception("The application failed after its answer")
        finally:
            exchange.end()
            exchange.begun.set()
            await close_body(exchange.request.body)


class _Exchange:
    """Both ends of one request as the application sees them."""

    def __init__(self, request: Request, max_response_size: int) -> None:
        self.request = request
        self.begun = asyncio.Event()
        self.is_streaming = False
        self.is_complete = False
        self._pieces = aiter(request.body) if not isinstance(request.body, bytes) else None
        self._is_request_read = False
        self._max_response_size = max_response_size
        self._status: int | None = None
        self._headers: Headers = ()
        self._body = bytearray()
        self._has_room = asyncio.Event()
        self._has_news = asyncio.Event()
        self._ended = asyncio.Event()
        self._failure: Exception | None = None

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    async def receive(self) -> _Message:
        if not self._is_request_read:
            return await self._next_piece()
        # The caller stays connected for as long as it waits for the answer.
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: _Message) -> None:
        if self._ended.is_set():
            raise OSError("the answer has ended")
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            )
            self.is_streaming = is_streamed(self._headers)
            if self.is_streaming:
                self.begun.set()
        elif message["type"] == "http.response.body":
            await self._append(
                message.get("body", b""), is_last=not message.get("more_body", False)
            )

    def complete(self) -> Response:
        if self._failure is not None:
            raise self._failure
        if not self.is_complete or self._status is None:
            raise RPCConnectionError("The application ended without an answer", was_sent=True)
        return Response(self._status, self._headers, bytes(self._body))

    def streaming(self, running: asyncio.Task[None]) -> Response:
        assert self._status is not None  # noqa: S101 - said by is_streaming
        return Response(self._status, self._headers, _Incoming(self, running))

    def fail(self, failure: Exception, cause: Exception | None = None) -> None:
        failure.__cause__ = cause
        self._failure = failure
        self.end()

    def end(self) -> None:
        self._ended.set()
        self._has_news.set()
        self._has_room.set()

    async def read(self) -> bytes:
        """The next piece of a streamed answer; empty at its end."""
        while not self._body:
            if self._failure is not None:
                raise self._failure
            if self.is_complete:
                return b""
            if self._ended.is_set():
                message = "The application ended before its answer was complete"
                raise RPCConnectionError(message, was_sent=True)
            self._has_news.clear()
            await self._has_news.wait()
        piece = bytes(self._body)
        self._body.clear()
        self._has_room.set()
        return piece

    async def _next_piece(self) -> _Message:
        if self._pieces is None:
            self._is_request_read = True
            return {"type": "http.request", "body": self.request.body, "more_body": False}
        piece = await anext(self._pieces, None)
        self._is_request_read = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def _append(self, piece: bytes, *, is_last: bool) -> None:
        self._body += piece
        if is_last:
            self.is_complete = True
            self.end()
        elif self.is_streaming:
            self._has_news.set()
            self._has_room.clear()
            await self._has_room.wait()
        elif len(self._body) > self._max_response_size:
            self.fail(RPCResponseError(too_large(self._max_response_size)))
            raise OSError("the caller has gone: the answer is larger than it accepts")


class _Incoming:
    """The body of an answer as the application makes it."""

    def __init__(self, exchange: _Exchange, running: asyncio.Task[None]) -> None:
        self._exchange = exchange
        self._running = running

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._exchange.read()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._exchange.end()
        await _stop(self._running)


async def _stop(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _scope(request: Request) -> _Message:
    origin = urlsplit(request.origin)
    port = origin.port or (443 if origin.scheme == "https" else 80)
    headers = dict(request.headers)
    headers.setdefault("host", origin.netloc)
    if isinstance(request.body, bytes):
        headers["content-length"] = str(len(request.body))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": origin.scheme or "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("ascii"),
        "query_string": request.query.encode("ascii"),
        "root_path": "",
        "headers": [
            (name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 0),
        "server": (origin.hostname or "localhost", port),
    }
