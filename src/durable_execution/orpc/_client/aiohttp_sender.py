"""The default sender: aiohttp. The only file of the client that knows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

import aiohttp
from yarl import URL

from durable_execution.orpc._client.error import RPCConnectionError, RPCResponseError
from durable_execution.orpc._client.sender import too_large
from durable_execution.orpc._protocol import Headers, Request, Response, close_body, is_streamed

# Node.js and uvicorn drop an idle connection after 5 s; letting go first avoids sending a call
# into a connection the other side is closing.
_KEEPALIVE: Final = 4.0
_CHUNK: Final = 64 * 1024

# The link measures the whole call, waiting for a free connection included.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)


class AiohttpSender:
    """A pool of connections for each event loop that sends."""

    def __init__(self) -> None:
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._lock = Lock()
        self._is_closed = False

    async def send(self, request: Request, *, max_response_size: int) -> Response:
        """See `Sender.send`."""
        session = self._session()
        try:
            with _translated():
                response = await session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    data=request.body or None,
                    headers=request.headers,
                    allow_redirects=False,
                )
                headers = _lowered(response)
                if is_streamed(headers):
                    return Response(response.status, headers, _Incoming(response))
                async with response:
                    body = await _read(response, max_response_size)
                return Response(response.status, headers, body)
        finally:
            await close_body(request.body)

    async def aclose(self) -> None:
        """See `Sender.aclose`. Pools of other running loops are closed there."""
        with self._lock:
            self._is_closed = True
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
            session = self._sessions.get(loop)
            if session is None:
                self._forget_closed_loops()
                session = self._sessions[loop] = _new_session()
        return session

    def _forget_closed_loops(self) -> None:
        """A session keeps its loop alive, so nothing else would ever let go of either."""
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            del self._sessions[loop]


class _Incoming:
    """The body of a response as it arrives; holds the connection until it is closed."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for piece in self._response.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        # After the end of the body the connection has long gone back to the pool.
        self._response.close()


@contextmanager
def _translated() -> Iterator[None]:
    """The errors of aiohttp as those of a sender."""
    try:
        yield
    except aiohttp.ClientResponseError as error:
        raise RPCResponseError(f"The server did not answer in HTTP: {error.message}") from error
    except aiohttp.ClientConnectorError as error:
        raise RPCConnectionError(f"Cannot connect: {error}", was_sent=False) from error
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise RPCConnectionError(f"The connection broke: {reason}", was_sent=True) from error


def _new_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=_KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_NO_TIMEOUT,
    )


async def _read(response: aiohttp.ClientResponse, max_response_size: int) -> bytes:
    """The decompressed body; a small message that unpacks into a huge one is cut off as well."""
    if (response.content_length or 0) > max_response_size:
        raise RPCResponseError(too_large(max_response_size))
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > max_response_size:
            raise RPCResponseError(too_large(max_response_size))
    return bytes(body)


def _lowered(response: aiohttp.ClientResponse) -> Headers:
    return tuple((name.lower(), value) for name, value in response.headers.items())
