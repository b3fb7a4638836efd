"""A sender without a network: the ASGI application is called in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

from durable_execution.orpc._client.error import RPCConnectionError, RPCResponseError
from durable_execution.orpc._client.sender import too_large
from durable_execution.orpc._protocol import Headers, Request, Response

_logger = logging.getLogger(__name__)

_Message = MutableMapping[str, Any]  # ASGI's own type: what a key holds depends on `type`
_App = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]],
    Awaitable[None],
]


class AsgiSender:
    """Calls an ASGI application directly: for tests, and for two halves in one process.

    The application runs in the caller's task, so cancelling the call cancels it. Its lifespan
    events are not sent; whoever owns the application starts it.
    """

    def __init__(self, app: _App) -> None:
        self._app = app
        self._is_closed = False

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        """See `Sender.send`."""
        if self._is_closed:
            raise RuntimeError("AsgiSender is closed")
        exchange = _Exchange(request, max_response_size)
        try:
            await self._app(_scope(request), exchange.receive, exchange.send)
        except Exception as error:
            # Over a socket the caller would see the answer, and the server's log the traceback.
            if not exchange.is_complete and not exchange.is_too_large:
                message = "The application failed before its answer was complete"
                raise RPCConnectionError(message, was_sent=True) from error
            if exchange.is_complete:
                _logger.exception("The application failed after its answer")
        return exchange.response()

    async def aclose(self) -> None:
        """See `Sender.aclose`."""
        self._is_closed = True


class _Exchange:
    """Both ends of one request as the application sees them."""

    def __init__(self, request: Request, max_response_size: int) -> None:
        self._unread: bytes | None = request.body
        self._max_response_size = max_response_size
        self._status: int | None = None
        self._headers: Headers = ()
        self._body = bytearray()
        self._ended = asyncio.Event()
        self.is_complete = False
        self.is_too_large = False

    async def receive(self) -> _Message:
        if self._unread is not None:
            body, self._unread = self._unread, None
            return {"type": "http.request", "body": body, "more_body": False}
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
        elif message["type"] == "http.response.body":
            self._append(message.get("body", b""), is_last=not message.get("more_body", False))

    def response(self) -> Response:
        if self.is_too_large:
            raise RPCResponseError(too_large(self._max_response_size))
        if not self.is_complete or self._status is None:
            raise RPCConnectionError("The application ended without an answer", was_sent=True)
        return Response(self._status, self._headers, bytes(self._body))

    def _append(self, chunk: bytes, *, is_last: bool) -> None:
        self._body += chunk
        if len(self._body) > self._max_response_size:
            self.is_too_large = True
            self._ended.set()
            raise OSError("the caller has gone: the answer is larger than it accepts")
        if is_last:
            self.is_complete = True
            self._ended.set()


def _scope(request: Request) -> _Message:
    origin = urlsplit(request.origin)
    port = origin.port or (443 if origin.scheme == "https" else 80)
    headers = dict(request.headers)
    headers.setdefault("host", origin.netloc)
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
