"""Requests to values, values and errors to responses (WIRE.md 4.4, 6). No HTTP library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from durable_execution._codec import UNDEFINED, DecodeError, TypedJson
from durable_execution.orpc._protocol import (
    WITHOUT_ENVELOPE,
    Body,
    BodyKind,
    BodyTooLargeError,
    DecodedEvents,
    EncodedEvents,
    EventStream,
    EventStreamOptions,
    ORPCError,
    Request,
    Response,
    body_kind,
    data_parameter,
    read_body,
    read_envelope,
)
from durable_execution.orpc._server.events import EVENT_STREAM, EventInput

_MALFORMED: Final = (
    "Malformed request. Ensure the request body is properly formatted and the 'Content-Type' "
    "header is set correctly."
)


class HandlerCodec:
    """Reads the requests and writes the responses of one handler.

    Args:
        typed_json: Writes and reads envelopes.
        max_body_size: Bytes of a body that is read whole, and of one event of a stream.
        events: How event streams are sent.
    """

    def __init__(
        self, typed_json: TypedJson, *, max_body_size: int, events: EventStreamOptions
    ) -> None:
        self._typed_json = typed_json
        self._max_body_size = max_body_size
        self._events = events

    async def decode(self, request: Request) -> object:
        """The input of a call.

        Raises:
            ORPCError: BAD_REQUEST, PAYLOAD_TOO_LARGE or UNSUPPORTED_MEDIA_TYPE.
        """
        if request.method == "GET":
            return self._read(data_parameter(request.query))
        kind = body_kind(request.headers)
        if kind in WITHOUT_ENVELOPE:
            return UNDEFINED
        if kind is BodyKind.EVENT_STREAM:
            events = EventInput(self._typed_json, _MALFORMED)
            return EventStream(DecodedEvents(request.body, events, max_size=self._max_body_size))
        if kind is not BodyKind.JSON:
            raise ORPCError(
                "UNSUPPORTED_MEDIA_TYPE", f"This server does not read {kind.value} bodies"
            )
        return self._read(await self._whole(request.body))

    def encode(self, output: object, failed: Callable[[BaseException], ORPCError]) -> Response:
        """The response of a call that succeeded; who takes it closes its body.

        Args:
            output: A value, or an event stream.
            failed: Gives the error a caller sees for an exception amid the stream.

        Raises:
            EncodeError: The output has no wire form.
        """
        if not isinstance(output, EventStream):
            return self._json(200, output)
        body = EncodedEvents(
            output.source,
            dumps=self._typed_json.dumps,
            error_of=lambda error: failed(error).to_json(),
            options=self._events,
        )
        return Response(200, EVENT_STREAM, body)

    def encode_error(self, error: ORPCError) -> Response:
        """The response of a call that failed.

        Raises:
            EncodeError: The data of the error has no wire form.
        """
        return self._json(_http_status(error), error.to_json())

    async def _whole(self, body: Body) -> bytes:
        try:
            return await read_body(body, limit=self._max_body_size)
        except BodyTooLargeError as error:
            raise ORPCError("PAYLOAD_TOO_LARGE") from error

    def _read(self, envelope: bytes) -> object:
        try:
            value: object = read_envelope(self._typed_json, envelope)
        except DecodeError as error:
            raise ORPCError("BAD_REQUEST", _MALFORMED) from error
        return value

    def _json(self, status: int, value: object) -> Response:
        payload = self._typed_json.dumps(value)
        return Response(status, (("content-type", "application/json"),), payload)


def _http_status(error: ORPCError) -> int:
    """The error's own status, unless it is one no HTTP server can send as a final answer."""
    return error.status if 400 <= error.status <= 999 else 500
