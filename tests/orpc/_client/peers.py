"""Servers that speak bytes, in threads: for what no HTTP server would do, and for who blocks."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PATIENCE = 30.0
"""Seconds after which a test has failed; nothing waits that long that goes well."""

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"

Talk = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection."""

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number = number
        self.socket = sock
        self.has_left = threading.Event()
        """The client has closed its end."""
        self._received = b""

    def request(self) -> bytes:
        """The next request, head and body."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, _ = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = len(head) + 4 + (int(length[1]) if length else 0)
        while len(self._received) < size:
            self._receive()
        request, self._received = self._received[:size], self._received[size:]
        return request

    def say(self, *texts: bytes) -> None:
        for text in texts:
            self.socket.sendall(text)

    def answer(self, body: bytes = b'{"json":1}', head: bytes = b"") -> None:
        self.say(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            + head
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )

    def until_left(self) -> None:
        """Wait until the client has closed its end."""
        with suppress(ConnectionError):
            while self.socket.recv(65536):
                pass
        self.has_left.set()

    def _receive(self) -> None:
        piece = self.socket.recv(65536)
        if not piece:
            self.has_left.set()
            raise ConnectionError("the client has left")
        self._received += piece


class Peers:
    """A server, and the connections that came."""

    def __init__(self, talk: Talk, context: ssl.SSLContext | None) -> None:
        self._talk = talk
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.all: list[Peer] = []
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://localhost:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(PATIENCE)
        self._listener.close()
        for peer in self.all:
            with suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(ConnectionError, ssl.SSLError), sock:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            peer = Peer(len(self.all), sock)
            self.all.append(peer)
            with sock:
                self._talk(peer)


@contextmanager
def listening(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[Peers]:
    """A server on loopback whose connections each run `talk` in a thread of their own."""
    peers = Peers(talk, context)
    try:
        yield peers
    finally:
        peers.close()


def answering(peer: Peer) -> None:
    """Answers 1 to everything, until the client leaves."""
    while True:
        peer.request()
        peer.answer()


def saying(*texts: bytes) -> Talk:
    """A server that says this to the first request of a connection, and hangs up."""

    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(*texts)

    return talk
