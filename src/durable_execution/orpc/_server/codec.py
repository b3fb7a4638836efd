"""Requests to values, values and errors to responses (WIRE.md 3, 4.4, 6). No HTTP library."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from durable_execution._codec import UNDEFINED, DecodeError, TypedJson
from durable_execution.orpc._protocol import (
    ERROR_ID_HEADER,
    JSON_HEADERS,
    Body,
    BodyKind,
    BodyTooLargeError,
    ByteStream,
    DecodedEvents,
    EncodedEvents,
    EventStream,
    EventStreamOptions,
    File,
    FileLimits,
    MultipartError,
    OctetStream,
    ORPCError,
    Request,
    Response,
    Version,
    as_file,
    data_parameter,
    new_error_id,
    read_body,
    read_envelope,
    read_form,
    read_raw_file,
    write_form,
    write_octets,
    write_raw_file,
)
from durable_execution.orpc._server.events import EVENT_STREAM, EventInput
from durable_execution.orpc._server.incoming import Incoming

_MALFORMED: Final = (
    "Malformed request. Ensure the request body is properly formatted and the 'Content-Type' "
    "header is set correctly."
)


UNREAD: Final = object()
"""Instead of a value: its request has to be read first, which may take a while."""


class HandlerCodec:
    """Reads the requests and writes the responses of one handler.

    Args:
        typed_json: Writes and reads envelopes, in the dialect of the version.
        version: What else the dialect says.
        max_body_size: Bytes of a body that is read whole, and of one event of a stream.
        files: Bounds of the files of a request.
        events: How event streams are sent.
    """

    def __init__(
        self,
        typed_json: TypedJson,
        *,
        version: Version,
        max_body_size: int,
        files: FileLimits,
        events: EventStreamOptions,
    ) -> None:
        self._typed_json = typed_json
        self._version = version
        self._max_body_size = max_body_size
        self._files = files
        self._events = events

    def decode_whole(self, incoming: Incoming) -> object:
        """The input of a call whose body is JSON that was read already, as most are; or `UNREAD`.

        Raises:
            ORPCError: BAD_REQUEST or PAYLOAD_TOO_LARGE.
        """
        body = incoming.body
        if (
            not isinstance(body, bytes)
            or incoming.method == "GET"
            or incoming.body_kind(self._version) is not BodyKind.JSON
        ):
            return UNREAD
        if len(body) > self._max_body_size:
            raise ORPCError("PAYLOAD_TOO_LARGE")
        try:
            value: object = read_envelope(self._typed_json, body)
        except DecodeError as error:
            raise ORPCError("BAD_REQUEST", _MALFORMED) from error
        return value

    async def decode(self, request: Request, files: list[File]) -> object:
        """The input of a call; its files are noted in `files`, for whoever ends the call.

        Raises:
            ORPCError: BAD_REQUEST or PAYLOAD_TOO_LARGE.
        """
        try:
            if request.method == "GET":
                return read_envelope(self._typed_json, data_parameter(request.query))
            return await self._read(request, files)
        except (DecodeError, MultipartError) as error:
            raise ORPCError("BAD_REQUEST", _MALFORMED) from error
        except BodyTooLargeError as error:
            raise ORPCError("PAYLOAD_TOO_LARGE") from error

    def encode_plain(self, output: object) -> Response | None:
        """The response of a call whose output is as plain as most are; None when it is not."""
        payload = self._typed_json.dumps_plain(output)
        return None if payload is None else Response(200, JSON_HEADERS, payload)

    def encode(
        self, output: object, files: list[File], failed: Callable[[BaseException, str], ORPCError]
    ) -> Response:
        """The response of a call that succeeded; who takes it closes its body.

        Args:
            output: A value, an event stream, or a stream of bytes.
            files: The files of the output are noted here.
            failed: Gives the error a caller sees for an exception amid the stream, and logs it
                under the id that the answer has announced.

        Raises:
            EncodeError: The output has no wire form.
            OSError, ValueError: A file is not there, or closed.
        """
        if isinstance(output, EventStream):
            # Told before anything fails: afterwards there is no place for it.
            error_id = new_error_id()
            body = EncodedEvents(
                output.source,
                dumps=self._typed_json.dumps,
                error_of=lambda error: self._version.error_to_json(failed(error, error_id)),
                options=self._events,
                end=self._version.end_of_stream,
            )
            return Response(200, (*EVENT_STREAM, (ERROR_ID_HEADER, error_id)), body)
        if isinstance(output, OctetStream):
            headers, octets = write_octets(output)
            return Response(200, headers if self._version.has_raw_bodies else (), octets)
        payload, found = self._typed_json.dumps_with_files(output)
        if not found:
            return self._json(200, payload)
        sent = [as_file(file) for file in found]
        files += sent
        if self._version.has_raw_bodies and isinstance(output, File):
            return Response(200, *write_raw_file(output))
        return Response(200, *write_form(payload, sent))

    def encode_error(self, error: ORPCError) -> Response:
        """The response of a call that failed.

        Raises:
            EncodeError: The data of the error has no wire form.
        """
        payload = self._typed_json.dumps(self._version.error_to_json(error))
        response = self._json(self._version.status_of(error), payload)
        if error.error_id is None:
            return response
        # In a header: an error object of its own kind has no data to the reference (WIRE.md 6.2).
        return response.replace(headers=(*response.headers, (ERROR_ID_HEADER, error.error_id)))

    async def _read(self, request: Request, files: list[File]) -> object:
        kind = self._version.body_kind(request.headers)
        if kind is BodyKind.JSON:
            body = await read_body(request.body, limit=self._max_body_size)
            value: object = read_envelope(self._typed_json, body)
            return value
        if kind in self._version.without_envelope:
            return UNDEFINED
        if kind is BodyKind.FORM:
            content_type = request.header("content-type") or ""
            value, received = await read_form(
                request.body,
                content_type,
                self._typed_json,
                self._files,
                max_data_size=self._max_body_size,
            )
            files += received
            return value
        if kind is BodyKind.FILE:
            file = await read_raw_file(request.body, request.headers, self._files)
            files.append(file)
            return file
        if kind is BodyKind.BYTES:
            return OctetStream(_pieces_of(request.body))
        events = EventInput(self._typed_json, self._version, _MALFORMED)
        return EventStream(DecodedEvents(request.body, events, max_size=self._max_body_size))

    def _json(self, status: int, payload: bytes) -> Response:
        # Only an undefined value of version 2 has no text.
        return Response(status, JSON_HEADERS if payload else (), payload)


def releasing(response: Response, files: Sequence[File]) -> Response:
    """The response, with the files of its call closed once it is sent."""
    if not files:
        return response
    if isinstance(response.body, bytes):
        release(files)
        return response
    return response.replace(body=_Releasing(response.body, files))


class _Releasing:
    """A body that, when it is closed, ends the lives of the files its call had."""

    def __init__(self, body: ByteStream, files: Sequence[File]) -> None:
        self._body = body
        self._files = files

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            release(self._files)


def release(files: Sequence[File]) -> None:
    """End the lives of files, but for those that are kept."""
    for file in files:
        file.release()


def _pieces_of(body: Body) -> ByteStream | list[bytes]:
    """A body as the pieces of it."""
    return [body] if isinstance(body, bytes) else body
