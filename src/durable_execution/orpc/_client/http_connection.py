"""One connection to an HTTP server that a thread waits at, with an end to every wait."""

from __future__ import annotations

import math
import os
import select
import socket
import ssl
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final

from durable_execution.orpc._client.http_answer import (
    MAX_HEAD,
    BadAnswerError,
    BodyReader,
    CutOffError,
    Head,
    NoAnswerError,
    parse_head,
)

_PIECE: Final = 64 * 1024

Addresses = list[tuple[Any, ...]]
"""What `socket.getaddrinfo` gives."""


class HttpConnection:
    """One request after the other, each answered before the next.

    Attributes:
        idle_since: When it was last given back.
    """

    def __init__(self, sock: socket.socket) -> None:
        # Never blocking by itself: a timeout of the socket would cost a system call to set, and
        # another for each read, each of which hands the interpreter to another thread.
        sock.settimeout(0.0)
        self._socket = sock
        self._process = os.getpid()
        self._readable = _Wait(sock, _READ)
        # TLS may hold what the system has already handed over: it has to be asked first.
        self._is_plain = not isinstance(sock, ssl.SSLSocket)
        self._received = b""
        self._end: float | None = None
        self.idle_since = 0.0

    def is_stale(self) -> bool:
        """Whether the server has closed it, or said what nobody asked for."""
        if self._received:
            return True
        if not self._readable.now():
            return False
        # With TLS that may be for the connection itself.
        try:
            self._received = self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def write(self, request: bytes, end: float | None) -> bool:
        """Send a request; give whether that was all of it, or the server spoke before the end.

        Raises:
            TimeoutError: It took longer than until `end`; its `errno` is None.
            OSError: The connection broke.
        """
        self._end = end
        rest: bytes | memoryview = request
        while True:
            try:
                sent = self._socket.send(rest)
            except _WOULD_BLOCK as error:
                self._wait_after(error, _WRITE)
                # It may refuse what is too large, and read no more of it.
                if self._is_plain and self._readable.now():
                    return False
                continue
            if sent == len(rest):
                return True
            rest = memoryview(rest)[sent:]

    def read_head(self, end: float | None) -> Head:
        """The status and the headers of the answer.

        Raises:
            TimeoutError: They are not here at `end`; its `errno` is None.
            NoAnswerError: The connection ended without one.
            OSError: The connection broke.
            BadAnswerError: This is no answer in HTTP.
        """
        self._end = end
        while True:
            text = self._through(b"\r\n\r\n")
            head = parse_head(text)
            if head.status >= 200:  # those below are hints that come before it
                return head

    def body(self, head: Head) -> BodyReader:
        """The body behind a head."""
        return BodyReader(head, self._take, lambda: self._through(b"\r\n"))

    def wait_until(self, end: float | None) -> None:
        """Say how long the next reading of a body may take."""
        self._end = end

    def close(self) -> None:
        """Give it up: its server notices, and so does a thread that waits at it."""
        # What was forked shares it with the process it came from, which may go on using it.
        if self._process == os.getpid():
            self.wake()
        self._socket.close()

    def wake(self) -> None:
        """End the wait of another thread at it."""
        with suppress(OSError):
            # Not that of TLS, which would pull the rug from under the reader.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _through(self, mark: bytes) -> bytes:
        """What comes before a mark, which is taken too."""
        received = self._received
        while (found := received.find(mark)) < 0:
            if len(received) > MAX_HEAD:
                raise BadAnswerError(f"it goes on with {received[:40]!r}")
            piece = self._receive(_PIECE)
            if not piece:
                self._received = received
                if received:
                    raise CutOffError("the answer was cut off")
                raise NoAnswerError("the server closed the connection without an answer")
            received += piece
        self._received = received[found + len(mark) :]
        return received[:found]

    def _take(self, size: int) -> bytes:
        received = self._received
        if not received:
            return self._receive(size)
        if len(received) <= size:
            self._received = b""
            return received
        self._received = received[size:]
        return received[:size]

    def _receive(self, size: int) -> bytes:
        while True:
            if self._is_plain:
                self._readable.until(self._end)
            try:
                return self._socket.recv(size)
            except _WOULD_BLOCK as error:
                self._wait_after(error, _READ)

    def _wait_after(self, error: OSError, events: int) -> None:
        # TLS may have to write in order to read, and the other way round.
        if isinstance(error, ssl.SSLError):
            events = _WRITE if isinstance(error, ssl.SSLWantWriteError) else _READ
        elif events == _WRITE:
            events |= _READ
        wait = self._readable if events == _READ else _Wait(self._socket, events)
        wait.until(self._end)


def connect(
    host: str, port: int, *, end: float | None, context: ssl.SSLContext | None
) -> HttpConnection:
    """A new connection, by the first of the host's addresses that takes it.

    Raises:
        TimeoutError: There was none until `end`; its `errno` is None.
        OSError, UnicodeError: There is no such host, or none of its addresses takes it.
    """
    failure: OSError | None = None
    for family, kind, protocol, _, address in _addresses(host, port, end):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left_until(end))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                sock.settimeout(_left_until(end))
                sock = context.wrap_socket(sock, server_hostname=host)
        except BaseException as error:
            sock.close()
            if isinstance(error, TimeoutError) or not isinstance(error, OSError):
                raise
            failure = error
        else:
            return HttpConnection(sock)
    raise failure or OSError(f"{host} has no address")


def _addresses(host: str, port: int, end: float | None) -> Addresses:
    """The addresses of a host; looking them up knows no end, so it is waited for elsewhere."""
    if end is None or host.replace(".", "").isdecimal() or ":" in host:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found: SimpleQueue[Addresses | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            found.put(error)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    try:
        answer = found.get(timeout=_left_until(end))
    except Empty:
        raise TimeoutError(f"the address of {host} is not found in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _left_until(end: float | None) -> float | None:
    if end is None:
        return None
    left = end - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


_WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


_READ: Final = 1
_WRITE: Final = 2


class _Wait:
    """Waits for a socket to become readable, writable, or one of both."""

    def __init__(self, sock: socket.socket, events: int) -> None:
        self._readers = [sock] if events & _READ else []
        self._writers = [sock] if events & _WRITE else []
        self._poll = None
        if hasattr(select, "poll"):  # not on Windows
            self._poll = select.poll()
            read = select.POLLIN if events & _READ else 0
            self._poll.register(sock, read | (select.POLLOUT if events & _WRITE else 0))

    def now(self) -> bool:
        """Whether it is that now."""
        return self._is_ready(0)

    def until(self, end: float | None) -> None:
        """Wait for it.

        Raises:
            TimeoutError: It is not at `end`.
        """
        if not self._is_ready(_left_until(end)):
            raise TimeoutError("timed out")

    def _is_ready(self, seconds: float | None) -> bool:
        if self._poll is None:
            return any(select.select(self._readers, self._writers, [], seconds))
        return bool(self._poll.poll(None if seconds is None else math.ceil(seconds * 1000)))
