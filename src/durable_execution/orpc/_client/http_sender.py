"""The sender of calls that block: HTTP/1.1 over connections that are kept."""

from __future__ import annotations

import ssl as tls
import warnings
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Final, NoReturn

from durable_execution._waiting import Blocking
from durable_execution.orpc._client.connection_pool import ConnectionPool
from durable_execution.orpc._client.error import RPCConnectionError, RPCResponseError
from durable_execution.orpc._client.http_answer import BadAnswerError, Head, NoAnswerError
from durable_execution.orpc._client.http_connection import HttpConnection, connect
from durable_execution.orpc._client.http_request import request_text, server_of
from durable_execution.orpc._client.sender import too_large
from durable_execution.orpc._client.timeout import Timeout, seconds_of
from durable_execution.orpc._client.unpacking import Unpacked, UnpackingError
from durable_execution.orpc._protocol import Request, Response, first_header, is_streamed

_PIECE: Final = 64 * 1024

# HTTP lets a client send these again where an idle connection turns out to be closed.
_IDEMPOTENT: Final = frozenset({"DELETE", "GET", "PUT"})


class HttpSender:
    """A pool of connections for any number of threads; the sender of a `SyncLink` without one.

        SyncLink(RPCLink(url), sender=HttpSender(connect_timeout=2, ssl=context))

    Each call that is under way has a connection. A process that was forked gets its own.

    Args:
        connect_timeout: Seconds or a timedelta in which a connection must be there, None for no
            limit; the timeout of the call holds besides.
        ssl: Certificates to trust and to show; left out, those of the system.

    Raises:
        TypeError, ValueError: An argument is unusable.
    """

    def __init__(
        self, *, connect_timeout: Timeout = 10.0, ssl: tls.SSLContext | None = None
    ) -> None:
        self._connect_timeout = seconds_of(connect_timeout, "connect_timeout")
        self._ssl = ssl
        self._pool = ConnectionPool()

    def send(self, request: Request, *, max_response_size: int, timeout: float | None) -> Response:
        """See `BlockingSender.send`."""
        end = None if timeout is None else monotonic() + timeout
        text = request_text(request)
        while True:
            connection = self._pool.take(request.origin)
            is_kept = connection is not None
            if connection is None:
                connection = self._connected(request.origin, end)
            exchange = _Exchange(self._pool, connection, request)
            try:
                exchange.begin(text, end)
                return exchange.response(max_response_size)
            except BaseException as error:
                exchange.give_up()
                if is_kept and request.method in _IDEMPOTENT and exchange.is_unanswered(error):
                    continue
                exchange.fail(error)

    def close(self) -> None:
        """See `BlockingSender.close`."""
        self._pool.close()

    def _connected(self, origin: str, end: float | None) -> HttpConnection:
        server = server_of(origin)
        first = end
        if self._connect_timeout is not None:
            first = monotonic() + self._connect_timeout
            first = first if end is None else min(first, end)
        try:
            context = self._context() if server.is_secure else None
            connection = connect(server.host, server.port, end=first, context=context)
        except (OSError, UnicodeError) as error:
            if first == end and _is_timeout(error):
                raise
            reason = getattr(error, "strerror", None) or error
            raise RPCConnectionError(
                f"Cannot connect to {server.host}:{server.port}: {reason}", was_sent=False
            ) from error
        self._pool.add(connection)
        return connection

    def _context(self) -> tls.SSLContext:
        if self._ssl is None:
            self._ssl = tls.create_default_context()
        return self._ssl


class _Exchange:
    """A request and its answer on one connection, which goes back to the pool at the end."""

    def __init__(self, pool: ConnectionPool, connection: HttpConnection, request: Request) -> None:
        self._pool = pool
        self._connection = connection
        self._request = request
        self._head: Head
        self._was_written = False
        self._is_answered = False
        self._is_over = False
        self._is_read = False

    @property
    def is_over(self) -> bool:
        """Whether the connection is no longer its own."""
        return self._is_over

    def begin(self, text: bytes, end: float | None) -> None:
        """Send the request and wait for the headers of the answer."""
        failure: OSError | None = None
        try:
            self._was_written = self._connection.write(text, end)
        except (BrokenPipeError, ConnectionResetError) as error:
            # A server may have answered, and closed before it has read all.
            failure = error
        try:
            self._head = self._connection.read_head(end)
        except (OSError, BadAnswerError):
            if failure is not None:
                raise failure from None
            raise
        self._is_answered = True

    def response(self, max_response_size: int) -> Response:
        """The answer: complete, or with a body that goes on to be read."""
        status, headers, length, *_ = self._head
        if is_streamed(headers):
            return Response(status, headers, _Incoming(self))
        if length is not None and length > max_response_size:
            raise RPCResponseError(too_large(max_response_size))
        body = _whole(self.pieces(), max_response_size)
        self.end()
        return Response(status, headers, body)

    def pieces(self) -> Callable[[], bytes]:
        """Reads the next piece of the unpacked body."""
        body = self._connection.body(self._head)
        encoding = first_header(self._head.headers, "content-encoding")
        if encoding is None or encoding.lower() == "identity":
            return lambda: body.read(_PIECE)
        return Unpacked(lambda: body.read(_PIECE), encoding.lower()).read

    def next_piece(self, read: Callable[[], bytes], end: float | None) -> bytes:
        """Read a piece until `end`, so that other threads may leave meanwhile."""
        self._connection.wait_until(end)
        self._is_read = True
        try:
            return read()
        finally:
            self._is_read = False

    def end(self) -> None:
        """Say that all of it was read."""
        if self._is_over:
            return
        self._is_over = True
        if not self._head.is_kept or not self._was_written:
            self._pool.drop(self._connection)
        else:
            self._pool.give_back(self._request.origin, self._connection)

    def give_up(self) -> None:
        """Close the connection. Doing it twice is allowed."""
        if not self._is_over:
            self._is_over = True
            self._pool.drop(self._connection)

    def leave(self) -> None:
        """Give up the connection, at which another thread may wait for what comes next."""
        if self._is_read:
            # That one closes it: its number must not be given to another before that.
            self._connection.wake()
        else:
            self.give_up()

    def is_unanswered(self, error: BaseException) -> bool:
        """Whether this says that the server has closed the connection before it answered."""
        is_gone = isinstance(error, NoAnswerError | ConnectionResetError | BrokenPipeError)
        return is_gone and not self._is_answered and not self._pool.is_closed

    def fail(self, error: BaseException) -> NoReturn:
        """Raise an error as a sender does."""
        if not isinstance(error, OSError | BadAnswerError | UnpackingError):
            raise error
        if self._pool.is_closed:
            raise RuntimeError("HttpSender was closed while a call was under way") from error
        if isinstance(error, RPCConnectionError) or _is_timeout(error):
            raise error
        if isinstance(error, OSError):
            reason = str(error) or type(error).__name__
            # A request is nothing to its server before all of it was written.
            raise RPCConnectionError(
                f"The connection broke: {reason}", was_sent=self._was_written
            ) from error
        if isinstance(error, UnpackingError):
            raise RPCResponseError(f"The answer cannot be unpacked: {error}") from error
        raise RPCResponseError(f"The server did not answer in HTTP: {error}") from error

    def __repr__(self) -> str:
        return f"{self._request!r}"


class _Incoming:
    """The body of an answer as it arrives; holds the connection until it is closed."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self._read = exchange.pieces()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._exchange.is_over:
            raise StopAsyncIteration
        left = Blocking.time_left()
        try:
            piece = self._exchange.next_piece(self._read, left and monotonic() + left)
        except BaseException as error:
            self._exchange.give_up()
            if _is_timeout(error):
                raise Blocking.expired() from error
            self._exchange.fail(error)
        if not piece:
            self._exchange.end()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._exchange.leave()

    def __del__(self) -> None:
        exchange = getattr(self, "_exchange", None)
        if exchange is not None and not exchange.is_over:
            exchange.give_up()
            warnings.warn(
                f"unclosed stream of {exchange!r}; use `with`",
                ResourceWarning,
                source=self,
                stacklevel=1,
            )


def _whole(read: Callable[[], bytes], limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := read():
        size += len(piece)
        if size > limit:
            raise RPCResponseError(too_large(limit))
        pieces.append(piece)
    return b"".join(pieces)


def _is_timeout(error: BaseException) -> bool:
    """Whether the time was up; one that the system's own patience ended has a number."""
    return isinstance(error, TimeoutError) and error.errno is None
