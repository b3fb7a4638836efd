"""The default sender: aiohttp. The only file of the client that knows it."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from threading import Lock
from typing import Final

import aiohttp
from yarl import URL

from durable_execution.orpc._client.error import RPCConnectionError, RPCResponseError
from durable_execution.orpc._client.sender import too_large
from durable_execution.orpc._client.timeout import Timeout, seconds_of
from durable_execution.orpc._protocol import (
    Body,
    Headers,
    Request,
    Response,
    close_body,
    is_streamed,
)

# Node.js and uvicorn drop an idle connection after 5 s; letting go first avoids sending a call
# into a connection the other side is closing.
_KEEPALIVE: Final = 4.0
_CHUNK: Final = 64 * 1024

# Kept for good: to collect them would be to close them, and with them those of the parent.
_INHERITED: Final[list[object]] = []


class AiohttpSender:
    """A pool of connections for each event loop that sends; the sender of links without one.

        RPCLink(url, sender=AiohttpSender(connect_timeout=2, ssl=context))

    Args:
        connect_timeout: Seconds or a timedelta in which a connection must be there, None for no
            limit; the timeout of the call holds besides.
        max_connections: For each event loop; calls beyond it wait for a free one.
        ssl: Certificates to trust and to show; left out, those of the system.

    Raises:
        TypeError, ValueError: An argument is unusable.
    """

    def __init__(
        self,
        *,
        connect_timeout: Timeout = 10.0,
        max_connections: int = 100,
        ssl: SSLContext | None = None,
    ) -> None:
        if type(max_connections) is not int or max_connections < 1:
            raise ValueError(f"max_connections: expected a positive int, got {max_connections!r}")
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=None, sock_connect=seconds_of(connect_timeout)
        )
        self._max_connections = max_connections
        self._ssl = ssl
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._process = os.getpid()
        self._lock = Lock()
        self._is_closed = False

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        """See `Sender.send`."""
        session = self._session()
        sent = request.body
        try:
            with _translated(is_whole=isinstance(request.body, bytes)):
                response = await session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    data=request.body or None,
                    headers=request.headers,
                    allow_redirects=False,
                )
                headers = _lowered(response)
                if is_streamed(headers):
                    # The request may still be on its way: it lives as long as its answer.
                    sent = b""
                    return Response(response.status, headers, _Incoming(response, request.body))
                async with response:
                    body = await _read(response, max_response_size)
                return Response(response.status, headers, body)
        finally:
            await close_body(sent)

    async def aclose(self) -> None:
        """See `Sender.aclose`. Pools of other running loops are closed there."""
        with self._lock:
            self._is_closed = True
            self._leave_to_parent()
            sessions, self._sessions = self._sessions, {}
        here = asyncio.get_running_loop()
        for loop, session in sessions.items():
            if loop is here:
                await session.close()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(session.close(), loop)
                await asyncio.wrap_future(closing)

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("AiohttpSender is closed")
            self._leave_to_parent()
            session = self._sessions.get(loop)
            if session is None:
                self._forget_closed_loops()
                session = self._sessions[loop] = self._new_session()
        return session

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                keepalive_timeout=_KEEPALIVE,
                limit=self._max_connections,
                ssl=True if self._ssl is None else self._ssl,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            # An empty body of version 2 has no type; one made up here would make a file of it.
            skip_auto_headers=("Content-Type",),
        )

    def _leave_to_parent(self) -> None:
        """Connections of a process that was forked are its parent's, and stay untouched here."""
        if self._process != os.getpid():
            _INHERITED.append(self._sessions)
            self._sessions = {}
            self._process = os.getpid()

    def _forget_closed_loops(self) -> None:
        """A session keeps its loop alive, so nothing else would ever let go of either."""
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            del self._sessions[loop]


class _Incoming:
    """The body of a response as it arrives; holds the connection until it is closed."""

    def __init__(self, response: aiohttp.ClientResponse, sent: Body) -> None:
        self._response = response
        self._sent = sent
        self._loop = asyncio.get_running_loop()
        self._is_open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        # Not `iter_any`: cancelling a wait for the next piece must not end what follows it.
        with _translated():
            piece = await self._response.content.readany()
        if not piece:
            self._is_open = False
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        # After the end of the body the connection has long gone back to the pool.
        self._is_open = False
        self._response.close()
        await close_body(self._sent)

    def __del__(self) -> None:
        # The connection knows its response, so aiohttp itself would never let go of either.
        if self._is_open and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._response.close)
            message = f"unclosed stream of {self._response.url.origin()}; use `async with`"
            warnings.warn(message, ResourceWarning, source=self, stacklevel=1)


@contextmanager
def _translated(*, is_whole: bool = False) -> Iterator[None]:
    """The errors of aiohttp as those of a sender.

    A request that is whole is nothing to its server before all of it was written.
    """
    try:
        yield
    except aiohttp.ClientResponseError as error:
        raise RPCResponseError(f"The server did not answer in HTTP: {error.message}") from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise RPCConnectionError(f"Cannot connect{_reason(error)}", was_sent=False) from error
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) or type(error).__name__
        was_sent = not (is_whole and _was_closed_before(error))
        raise RPCConnectionError(f"The connection broke: {reason}", was_sent=was_sent) from error


def _reason(error: aiohttp.ClientError) -> str:
    """Say why, without what aiohttp says of its own settings."""
    if not isinstance(error, aiohttp.ClientConnectorError) or error.errno is None:
        return f": {error}"
    known = error.errno > 0  # those of name lookup are below, and have words of their own
    reason = os.strerror(error.errno) if known else error.strerror
    return f" to {error.host}:{error.port}: {reason}"


def _was_closed_before(error: BaseException) -> bool:
    """Whether an idle connection turned out to be closed when the request was to be written."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionResetError) and "closing transport" in str(cause):
            return True
        cause = cause.__cause__
    return False


async def _read(response: aiohttp.ClientResponse, max_response_size: int) -> bytes:
    """The decompressed body; a small message that unpacks into a huge one is cut off as well."""
    announced = response.content_length
    if announced is not None:
        if announced > max_response_size:
            raise RPCResponseError(too_large(max_response_size))
        if "content-encoding" not in response.headers:
            return await response.read()  # no more than announced arrives
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > max_response_size:
            raise RPCResponseError(too_large(max_response_size))
    return bytes(body)


def _lowered(response: aiohttp.ClientResponse) -> Headers:
    return tuple((name.lower(), value) for name, value in response.headers.items())
