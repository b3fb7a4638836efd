"""An application behind a real uvicorn, in the event loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn


class Served:
    def __init__(self, app: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app, lifespan="off", log_level="critical", ws="none", timeout_graceful_shutdown=5
        )
        self._server = uvicorn.Server(config)
        # `serve` would take the signals of the test run for itself.
        self._serving = asyncio.create_task(self._server._serve(sockets=[self._socket]))

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)

    def cut(self) -> None:
        """Break every connection, as a crash of the machine would."""
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            # uvicorn tells nobody when a connection is gone.
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._serving


def served(app: Any) -> Served:
    return Served(app)
