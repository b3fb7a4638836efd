"""Asking procedures for streams."""

from __future__ import annotations

from typing import Any

from durable_execution.orpc import EventStreamOptions, Procedure, RPCHandler
from tests.orpc._server.driver import Answer, ask

QUIET = EventStreamOptions(initial_comment=None)
EVENTS = (("content-type", "text/event-stream"),)


async def stream(procedure: Procedure, body: bytes = b"{}", **options: Any) -> Answer:
    app = RPCHandler(procedure, events=options.pop("events", QUIET), **options)
    return await ask(app, "/", body, headers=options.pop("headers", ()))
