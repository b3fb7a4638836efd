"""One exchange within its bounds: what it reads is counted, and how long it takes is limited."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final

from durable_execution.access import refusals
from durable_execution.access.bounds import Bounds
from durable_execution.access.holdings import ExceededError, Holding
from durable_execution.access.refusals import Receive, Refusal, Send

Message = MutableMapping[str, Any]

_DISCONNECT: Final = "http.disconnect"
_EVENTS: Final = b"text/event-stream"


class Exchange:
    """Stands between an application and one client. What `refusal` says was decided on the way.

    The head of an answer is held back until a piece of its body is there: only then it is known
    whether the answer is a stream, and whether there is room for one. Event streams say so in
    their head.

    Args:
        holding: What the exchange holds.
        bounds: How long it may take.
        deadline: When it ends; moved where the answer turns out to be a stream.
        receive: Of the server.
        send: Of the server.

    Attributes:
        has_started: Whether the client has seen the head of an answer.
        refusal: The answer in the place of the application's, which was cancelled for it.
    """

    def __init__(
        self,
        holding: Holding,
        bounds: Bounds,
        deadline: asyncio.Timeout,
        receive: Receive,
        send: Send,
    ) -> None:
        self._holding = holding
        self._bounds = bounds
        self._deadline = deadline
        self._receive = receive
        self._send = send
        self._start: Message | None = None
        self.has_started = False
        self.refusal: Refusal | None = None

    async def receive(self) -> Message:
        """Pass on a piece of the request, unless it is one too many: then the client has left."""
        if self.refusal is not None:
            return {"type": _DISCONNECT}
        message = await self._receive()
        body = message.get("body")
        if body:
            try:
                self._holding.adds_bytes(len(body))
            except ExceededError as exceeded:
                self._refuse(exceeded)
                return {"type": _DISCONNECT}
        return message

    async def send(self, message: Message) -> None:
        """Pass on a piece of the answer, unless it is a stream for which there is no room."""
        if self.refusal is None:
            try:
                await self._pass_on(message)
            except ExceededError as exceeded:
                self._refuse(exceeded)
        if self.refusal is not None:
            # Whoever goes on sending is to notice that it was cancelled.
            await asyncio.sleep(0)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not _is_event_stream(message):
            self._start = message
            return
        if message["type"] == "http.response.start" or (
            not self.has_started and message.get("more_body", False)
        ):
            self._holding.becomes_stream()
            self._end_at(self._stream_end())
        start, self._start = self._start, None
        self.has_started = True
        if start is not None:
            await self._send(start)
        await self._send(message)

    def _stream_end(self) -> float | None:
        seconds = self._bounds.stream_seconds
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    def _refuse(self, exceeded: ExceededError) -> None:
        self.refusal = refusals.too_much(exceeded, self._bounds)
        self._end_at(asyncio.get_running_loop().time())

    def _end_at(self, when: float | None) -> None:
        if not self._deadline.expired():  # then the end is there already
            self._deadline.reschedule(when)


def _is_event_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(_EVENTS)
        for name, value in start.get("headers", ())
    )
