"""HTTP without a library: what loads a server, and what answers a client, at next to no cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httptools

_FIXED_BODY: Final = b'{"json":{"n":1}}'
FIXED_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_FIXED_BODY), _FIXED_BODY)
)


def request_bytes(path: str, body: bytes) -> bytes:
    """One POST with the headers that the JavaScript client sends on Node.js (WIRE.md 4.3)."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        "accept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\n"
        f"accept-encoding: gzip, deflate\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Caller(asyncio.Protocol):
    """One connection with one request under way at any time."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: Any = None
        self._parser: Any = None
        self._ends_at = 0.0
        self._began = 0.0
        self._chunks: list[bytes] = []
        self.latencies: list[float] = []
        self.body = b""
        self.failure: str | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def run_until(self, end: float) -> None:
        self._ends_at = end
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._began)
        self.body = b"".join(self._chunks)
        self._chunks.clear()
        if self._parser.get_status_code() != 200:
            self.failure = f"{self._parser.get_status_code()}: {self.body!r}"
        if now < self._ends_at and self.failure is None:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.failure = f"the connection broke: {error}"
            self.done.set_result(None)

    def close(self) -> None:
        self._transport.close()


class _Conversation(asyncio.Protocol):
    """One connection on which somebody asks, waits, and asks something else."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._parser: Any = None
        self._chunks: list[bytes] = []
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        body, answer = b"".join(self._chunks), self._answer
        self._chunks.clear()
        if answer is not None and not answer.done():
            status = self._parser.get_status_code()
            if status == 200:
                answer.set_result(body)
            else:
                answer.set_exception(RuntimeError(f"{status}: {body!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the connection broke: {error}"))

    def close(self) -> None:
        self._transport.close()


async def converse(
    port: int,
    once: Callable[[Callable[[bytes], Awaitable[bytes]]], Awaitable[None]],
    concurrency: int,
    seconds: float,
) -> float:
    """Have so many conversations at a time, again and again; gives conversations a second."""
    loop = asyncio.get_running_loop()
    speakers = [
        (await loop.create_connection(_Conversation, "127.0.0.1", port))[1]
        for _ in range(concurrency)
    ]
    ended = 0

    async def keep_on(speaker: _Conversation, end: float) -> None:
        nonlocal ended
        while time.perf_counter() < end:
            await once(speaker.ask)
            ended += 1

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for speaker in speakers:
            group.create_task(keep_on(speaker, began + seconds))
    took = time.perf_counter() - began
    for speaker in speakers:
        speaker.close()
    return ended / took


async def load(
    port: int, request: bytes, concurrency: int, seconds: float
) -> tuple[list[float], float, bytes]:
    """Keep a server busy; gives each answer's latency, the time it took, and the last body."""
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: _Caller(request), "127.0.0.1", port))[1]
        for _ in range(concurrency)
    ]
    began = time.perf_counter()
    for caller in callers:
        caller.run_until(began + seconds)
    for caller in callers:
        await caller.done
    took = time.perf_counter() - began
    for caller in callers:
        caller.close()
        if caller.failure:
            raise RuntimeError(caller.failure)
    latencies = [latency for caller in callers for latency in caller.latencies]
    return latencies, took, callers[0].body
