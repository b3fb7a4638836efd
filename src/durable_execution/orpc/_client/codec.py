"""Calls to requests, responses to values or errors (WIRE.md 4, 6.3). Pure, no HTTP library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args
from urllib.parse import quote_plus

from durable_execution._codec import UNDEFINED, DecodeError, JsonSyntaxError, TypedJson
from durable_execution.orpc._client.base_url import BaseUrl
from durable_execution.orpc._client.error import BAD_ENVELOPE, NOT_JSON, RPCResponseError
from durable_execution.orpc._client.headers import header_pairs, joined
from durable_execution.orpc._protocol import (
    WITHOUT_ENVELOPE,
    BodyKind,
    ORPCError,
    Request,
    Response,
    body_kind,
    close_body,
    encode_path,
    error_for_status,
    read_envelope,
)

Method = Literal["DELETE", "GET", "PATCH", "POST", "PUT"]
METHODS: Final[frozenset[str]] = frozenset(get_args(Method))

MAX_URL_LENGTH: Final = 2083
"""Characters of the complete URL beyond which a GET becomes a POST (WIRE.md 4.2)."""


class LinkCodec:
    """Writes the requests and reads the responses of one base URL."""

    def __init__(self, base: BaseUrl, typed_json: TypedJson) -> None:
        self._base = base
        self._typed_json = typed_json

    def encode(
        self, path: Sequence[str], value: object, *, method: str, headers: Mapping[str, str]
    ) -> Request:
        """The request of one call.

        Raises:
            ValueError: A name of the path cannot stand in a URL.
            EncodeError: The value has no wire form.
        """
        body = self._typed_json.dumps(value)
        target = self._base.path + encode_path(path)
        if method == "GET":
            request = self._get(target, body, headers)
            if len(request.url) <= MAX_URL_LENGTH:
                return request
            method = "POST"
        return Request(
            method=method,
            path=target,
            query=self._base.query,
            headers=header_pairs({**headers, "content-type": "application/json"}),
            body=body,
            origin=self._base.origin,
        )

    async def decode(self, response: Response) -> object:
        """The value of a success. Everything below 400 is one, redirects included.

        A body that is not read is closed.

        Raises:
            ORPCError: The server says no.
            RPCResponseError: The body cannot be read.
        """
        value = await self._read(response)
        if 200 <= response.status <= 399:
            return value
        error = ORPCError.from_json(value)
        if error is not None:
            raise error
        raise error_for_status(response.status, headers=joined(response.headers), body=value)

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
        kind = body_kind(response.headers)
        if kind in WITHOUT_ENVELOPE:
            await close_body(response.body)
            return UNDEFINED
        if kind is BodyKind.EVENT_STREAM and response.status >= 400:
            # A stream is never an error object: the status alone speaks.
            await close_body(response.body)
            return UNDEFINED
        if kind is not BodyKind.JSON or not isinstance(response.body, bytes):
            await close_body(response.body)
            raise RPCResponseError(f"This client does not read {kind.value} bodies")
        try:
            value: object = read_envelope(self._typed_json, response.body)
        except JsonSyntaxError as error:
            raise RPCResponseError(NOT_JSON) from error
        except DecodeError as error:
            raise RPCResponseError(BAD_ENVELOPE) from error
        return value
