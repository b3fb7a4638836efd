"""Calls to requests, responses to values or errors (WIRE.md 3, 4, 6.3). No HTTP library."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal, get_args
from urllib.parse import quote_plus

from durable_execution._codec import (
    UNDEFINED,
    DecodeError,
    EncodeError,
    JsonSyntaxError,
    Opaque,
    TypedJson,
)
from durable_execution.orpc._client.base_url import BaseUrl
from durable_execution.orpc._client.error import (
    BAD_ENVELOPE,
    NOT_JSON,
    TOO_MANY_FILES,
    RPCResponseError,
)
from durable_execution.orpc._client.events import identified, input_body, output_stream
from durable_execution.orpc._client.headers import header_pairs, joined
from durable_execution.orpc._protocol import (
    ERROR_ID_HEADER,
    VERSION_1,
    Body,
    BodyKind,
    BodyTooLargeError,
    File,
    FileLimits,
    Headers,
    MultipartError,
    OctetStream,
    Request,
    Response,
    Version,
    as_file,
    close_body,
    encode_path,
    read_body,
    read_envelope,
    read_form,
    read_raw_file,
    write_form,
    write_octets,
    write_raw_file,
)

Method = Literal["DELETE", "GET", "PATCH", "POST", "PUT"]
METHODS: Final[frozenset[str]] = frozenset(get_args(Method))

_JSON: Final[Headers] = (("content-type", "application/json"),)
_EVENTS: Final[Headers] = (("content-type", "text/event-stream"),)

MAX_URL_LENGTH: Final = 2083
"""Characters of the complete URL beyond which a GET becomes a POST (WIRE.md 4.2)."""


# A client calls a few procedures many times.
_encoded_path = lru_cache(maxsize=1024)(encode_path)


class LinkCodec:
    """Writes the requests and reads the responses of one base URL.

    Args:
        base: Where the procedures are.
        typed_json: Writes and reads envelopes, in the dialect of the version.
        version: What else the dialect says.
        files: Bounds of the files of a response.
        idle_timeout: Seconds an event stream may be silent.
    """

    def __init__(
        self,
        base: BaseUrl,
        typed_json: TypedJson,
        *,
        version: Version = VERSION_1,
        files: FileLimits | None = None,
        idle_timeout: float | None = None,
    ) -> None:
        self._base = base
        self._idle_timeout = idle_timeout
        self._typed_json = typed_json
        self._version = version
        self._files = files or FileLimits()

    def encode(
        self, path: Sequence[str], value: object, *, method: str, headers: Mapping[str, str]
    ) -> Request:
        """The request of one call.

        Raises:
            ValueError: A name of the path cannot stand in a URL, or a file is closed.
            EncodeError: The value has no wire form.
            OSError: A file is not there.
        """
        target = self._base.path + _encoded_path(tuple(path))
        described, body = self._body(value)
        if method == "GET" and isinstance(body, bytes) and described in (_JSON, ()):
            request = self._get(target, body, headers)
            if len(request.url) <= MAX_URL_LENGTH:
                return request
        return Request(
            method="POST" if method == "GET" else method,
            path=target,
            query=self._base.query,
            headers=header_pairs(headers) + described,
            body=body,
            origin=self._base.origin,
        )

    async def decode(self, response: Response) -> object:
        """The value of a success. Everything below 400 is one, redirects included.

        A body that is not read is closed; an event stream holds it until it is closed itself.

        Raises:
            ORPCError: The server says no.
            RPCResponseError: The body cannot be read.
        """
        value = await self._read(response)
        if not self._version.is_error(response.status):
            return value
        error = self._version.error_from_json(value)
        if error is not None:
            raise identified(error, response.header(ERROR_ID_HEADER))
        raise self._version.foreign_error(response.status, joined(response.headers), value)

    def _body(self, value: object) -> tuple[Headers, Body]:
        if isinstance(value, AsyncIterable) and not isinstance(value, Opaque):
            return _EVENTS, input_body(value, self._typed_json, self._version)
        if isinstance(value, OctetStream):
            if not self._version.has_raw_bodies:
                problem = "a stream of bytes can be sent to a server of version 2 only; send a File"
                raise EncodeError((), problem)
            return write_octets(value)
        payload, found = self._typed_json.dumps_with_files(value)
        if not found:
            # Only an undefined value of version 2 has no text.
            return _JSON if payload else (), payload
        if self._version.has_raw_bodies and isinstance(value, File):
            return write_raw_file(value)
        return write_form(payload, [as_file(file) for file in found])

    def _get(self, target: str, envelope: bytes, headers: Mapping[str, str]) -> Request:
        # A form encodes the tilde, which quote_plus leaves alone.
        parameter = "data=" + quote_plus(envelope, safe="*").replace("~", "%7E")
        query = f"{self._base.query}&{parameter}" if self._base.query else parameter
        return Request(
            method="GET",
            path=target,
            query=query,
            headers=header_pairs(headers),
            origin=self._base.origin,
        )

    async def _read(self, response: Response) -> object:
        kind = self._version.body_kind(response.headers)
        is_undefined = kind in self._version.without_envelope or (
            # A stream is never an error object: the status alone speaks.
            kind in (BodyKind.EVENT_STREAM, BodyKind.BYTES)
            and self._version.is_error(response.status)
        )
        if is_undefined:
            await close_body(response.body)
            return UNDEFINED
        try:
            return await self._value(kind, response)
        except BodyTooLargeError as error:
            raise RPCResponseError(TOO_MANY_FILES) from error
        except (MultipartError, JsonSyntaxError) as error:
            raise RPCResponseError(NOT_JSON) from error
        except DecodeError as error:
            raise RPCResponseError(BAD_ENVELOPE) from error

    async def _value(self, kind: BodyKind, response: Response) -> object:
        body = response.body
        value: object
        match kind:
            case BodyKind.JSON:
                body = await read_body(body, limit=self._typed_json.limits.max_bytes)
                value = read_envelope(self._typed_json, body)
            case BodyKind.FORM:
                content_type = response.header("content-type") or ""
                try:
                    value, _ = await read_form(body, content_type, self._typed_json, self._files)
                except JsonSyntaxError as error:
                    raise DecodeError(f"data: {error}") from error
            case BodyKind.FILE:
                value = await read_raw_file(body, response.headers, self._files)
            case BodyKind.BYTES:
                value = OctetStream([body] if isinstance(body, bytes) else body)
            case _:
                value = output_stream(
                    body,
                    self._typed_json,
                    self._version,
                    max_size=self._typed_json.limits.max_bytes,
                    idle_timeout=self._idle_timeout,
                    error_id=response.header(ERROR_ID_HEADER),
                )
        return value
