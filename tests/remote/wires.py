"""A server behind a real socket, and a proxy before it that breaks connections on request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[int]:
    """Serve an application on the loop of the test; gives the port."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(30):
                while not server.started:
                    await asyncio.sleep(0.005)  # uvicorn offers nothing to wait for
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


class Proxy:
    """Passes on bytes. `answers_to_cut` is how many answers it drops with their connection.

    `upstream` is the port of the server; `on_cut` is called when an answer has been dropped.
    """

    def __init__(self, upstream: int, on_cut: Callable[[], None] = lambda: None) -> None:
        self.upstream = upstream
        self.on_cut = on_cut
        self._open: set[asyncio.StreamWriter] = set()
        self.answers_to_cut = 0
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def run(self) -> AsyncIterator[str]:
        """Listen; gives the address of the procedures."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{self.port}/rpc"
            self.cut()

    def cut(self) -> None:
        """Break all connections that there are."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        there = asyncio.create_task(_pass(reader, inner_writer))
        try:
            while piece := await inner_reader.read(65536):
                if self.answers_to_cut > 0:
                    self.answers_to_cut -= 1
                    writer.transport.abort()
                    self.on_cut()
                    return
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            there.cancel()
            self._open.discard(writer)
            inner_writer.transport.abort()
            writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()


class Answering:
    """An application before another one: lets it work, then answers something else."""

    def __init__(self, app: Any, status: int, times: int) -> None:
        self._app = app
        self._status = status
        self.times = times

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.times:
            await self._app(scope, receive, send)
            return
        self.times -= 1

        async def drop(message: Any) -> None:
            pass

        await self._app(scope, receive, drop)
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": b"<h1>Bad gateway</h1>"})
