"""The server process: uvicorn with the signals that a supervisor expects."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final

import uvicorn

from durable_execution import tune_garbage_collector
from durable_execution.cli.loading import AsgiApp
from durable_execution.cli.supervisor import ALIVE, READY, STOPPING, Supervisor
from durable_execution.errors import StorageError

ANSWER_TIMEOUT: Final = 5
"""Seconds that calls under way get before the application is drained: enqueues are short, and who
waits for a result can ask another executor server."""


class ServerProcess(uvicorn.Server):
    """Serves until the first signal, then drains. A second signal ends the process at once.

    Args:
        app: The application; its lifespan starts and drains the executor.
        on_started: Called when calls are answered.
        on_leaving: Called after the first signal, while calls under way are still answered.
        is_healthy: Whether the application can do its work; its supervisor, if there is one that
            counts on it, hears so as long as it can and the event loop turns.
        is_verbose: Whether each request is logged.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        on_started: Callable[[], None],
        on_leaving: Callable[[], None],
        is_healthy: Callable[[], bool],
        is_verbose: bool,
    ) -> None:
        self._supervisor = Supervisor()
        rest = self._supervisor.rest
        super().__init__(
            uvicorn.Config(
                _telling_storages(app),
                interface="asgi3",
                ws="none",
                log_config=None,
                access_log=is_verbose,
                server_header=False,
                timeout_graceful_shutdown=ANSWER_TIMEOUT,
                callback_notify=None if rest is None else self._alive_if(is_healthy),
                timeout_notify=rest or 0,
            )
        )
        self._on_started = on_started
        self._on_leaving = on_leaving

    @property
    def has_drained(self) -> bool:
        """Whether the application ended without an error."""
        return self.started and not self.lifespan.should_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen."""
        await super().startup(sockets)
        tune_garbage_collector()
        self._on_started()
        self._supervisor.tell(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the calls under way, then drain the application."""
        self._supervisor.tell(STOPPING)
        self._on_leaving()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal. Unlike uvicorn's own, it ends in exit code 0 when all was drained."""
        if self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            os.kill(os.getpid(), sig)
        self.should_exit = True

    def _alive_if(self, is_healthy: Callable[[], bool]) -> Callable[[], Awaitable[None]]:
        async def tell() -> None:
            if is_healthy():
                self._supervisor.tell(ALIVE)

        return tell


def _telling_storages(app: AsgiApp) -> AsgiApp:
    """Have a storage that cannot be opened told in a line: lifespans tell errors by tracebacks."""

    async def live(scope: Any, receive: Any, send: Any) -> None:
        failures: list[dict[str, Any]] = []

        async def hold(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        try:
            await app(scope, receive, hold)
        except StorageError as error:
            if not failures:
                raise
            failures = [{**failures[0], "message": f"the executor cannot start: {error}"}]
        finally:
            for failure in failures:
                await send(failure)

    def serve(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        is_lifespan = scope["type"] == "lifespan"
        return live(scope, receive, send) if is_lifespan else app(scope, receive, send)

    return serve
