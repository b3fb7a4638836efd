"""Event streams on the client: what its server sends, what its callers give (WIRE.md 7)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from durable_execution._codec import UNDEFINED, DecodeError, JsonSyntaxError, TypedJson
from durable_execution._waiting import timeout
from durable_execution.orpc._client.error import (
    BAD_ENVELOPE,
    NOT_JSON,
    RPCConnectionError,
    RPCErrorEvent,
    RPCResponseError,
    RPCTimeoutError,
)
from durable_execution.orpc._protocol import (
    Body,
    ByteStream,
    CutOffError,
    DecodedEvents,
    EncodedEvents,
    EventStream,
    EventStreamOptions,
    FrameError,
    MappedEvents,
    ORPCError,
    Version,
    event_source,
)

_logger = logging.getLogger(__name__)

# The comment brings the headers of the request on their way before the first event is made.
_OPTIONS = EventStreamOptions(keep_alive=None)


def input_body(
    values: AsyncIterable[object], typed_json: TypedJson, version: Version
) -> ByteStream:
    """The body of a request whose input is an event stream.

    An error of the iterable reaches the server as the last event, masked unless it is an oRPC
    error, and is logged here.
    """
    return EncodedEvents(
        event_source(values),
        dumps=typed_json.dumps,
        error_of=lambda error: version.error_to_json(_seen(error, version)),
        options=_OPTIONS,
        end=version.end_of_stream,
    )


def output_stream(
    body: Body,
    typed_json: TypedJson,
    version: Version,
    *,
    max_size: int,
    idle_timeout: float | None,
    error_id: str | None = None,
) -> EventStream[Any]:
    """The events of a response.

    Args:
        body: Closed with the stream.
        typed_json: Reads envelopes.
        version: Reads error objects.
        max_size: Bytes of one event.
        idle_timeout: Seconds it may be silent.
        error_id: What the log of the server will call an internal error amid the stream.
    """
    if idle_timeout is not None and not isinstance(body, bytes):
        body = IdleLimited(body, idle_timeout)
    return EventStream(
        DecodedEvents(body, _Output(typed_json, version, error_id), max_size=max_size)
    )


def changing_errors(
    stream: EventStream[Any], change: Callable[[Exception], Exception]
) -> EventStream[Any]:
    """The stream with other errors: what ends it becomes what `change` gives, or stays."""
    return EventStream(MappedEvents(stream.source, error=change))


def identified(error: ORPCError, error_id: str | None) -> ORPCError:
    """The error with the id under which its server has logged it, if that told one."""
    if error_id is not None:
        error.error_id = error_id
        error.add_note(f"The log of the server calls it {error_id}")
    return error


class IdleLimited:
    """A body that ends with an error when nothing arrives for too long, comments included."""

    def __init__(self, body: ByteStream, seconds: float) -> None:
        self._body = body
        self._pieces = aiter(body)
        self._seconds = seconds

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            async with timeout(self._seconds) as limit:
                return await anext(self._pieces)
        except TimeoutError as error:
            if not limit.expired():
                raise
            message = f"Nothing arrived within {self._seconds:g} seconds"
            raise RPCTimeoutError(message) from error

    async def aclose(self) -> None:
        """See `ByteStream.aclose`."""
        await self._body.aclose()


class _Output:
    """What the events of a response mean to their reader."""

    def __init__(self, typed_json: TypedJson, version: Version, error_id: str | None) -> None:
        self._typed_json = typed_json
        self._version = version
        self._error_id = error_id

    def value(self, data: bytes) -> object:
        try:
            value: object = self._typed_json.loads(data)
        except JsonSyntaxError as error:
            raise RPCResponseError(NOT_JSON) from error
        except DecodeError as error:
            raise RPCResponseError(BAD_ENVELOPE) from error
        return value

    def error(self, data: bytes) -> Exception:
        value = self.value(data) if data else UNDEFINED
        error = self._version.error_from_json(value)
        if error is None:
            return RPCErrorEvent(value)
        is_masked = error.code == "INTERNAL_SERVER_ERROR"
        return identified(error, self._error_id) if is_masked else error

    def broken(self, error: FrameError) -> Exception:
        if isinstance(error, CutOffError):
            return RPCConnectionError(str(error), was_sent=True)
        return RPCResponseError(str(error))


def _seen(error: BaseException, version: Version) -> ORPCError:
    if isinstance(error, ORPCError):
        return error
    _logger.error("The input of a call failed; its server sees an error event", exc_info=error)
    return ORPCError("INTERNAL_SERVER_ERROR", version.masked_message)
