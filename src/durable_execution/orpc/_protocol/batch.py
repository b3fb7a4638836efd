"""Several calls in one request: how they and their answers are written (WIRE.md 8, 11.3). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeVar

import msgspec

from durable_execution._codec import Dialect
from durable_execution.orpc._protocol.http import Headers, Response, first_header

_T = TypeVar("_T")

BatchMode = Literal["streaming", "buffered"]
"""Whether answers are sent one by one as they are made, or all of them at the end."""

HeaderValue = str | list[str]

_JSON: Final[Headers] = (("content-type", "application/json"),)
_LENGTH: Final = 4


class BatchFormError(Exception):
    """What arrived is no batch, or no answer to one."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One call of a batch.

    Attributes:
        key: What its answer is known by.
        method: None for that of the request around it.
        url: Absolute in version 1, path and query in version 2.
        headers: Those that differ from the headers of the request around it.
        body: JSON text; empty when there is none.
    """

    key: int | str
    method: str | None
    url: str
    headers: Mapping[str, HeaderValue]
    body: bytes


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to one call of a batch."""

    key: int | str
    response: Response


class BatchForm(Protocol):
    """How one version writes batches.

    Attributes:
        header: The request header that says that this is a batch, and in which mode.
        parameter: The query parameter that holds a batch of GET calls.
        is_url_absolute: Whether the URLs of calls have an origin.
    """

    header: str
    parameter: str
    is_url_absolute: bool

    def key(self, index: int) -> int | str:
        """The key of a call by its place in the batch."""
        ...

    def read_requests(self, payload: bytes) -> list[BatchRequest]:
        """The calls of a batch; raises `BatchFormError`."""
        ...

    def write_requests(self, requests: Sequence[BatchRequest], *, method: str) -> bytes:
        """The text of a batch; calls of another method than its own say so."""
        ...

    def read_answer(self, payload: bytes) -> BatchAnswer:
        """One answer; raises `BatchFormError`."""
        ...

    def write_answer(self, answer: BatchAnswer) -> bytes:
        """The text of one answer, whose body is JSON or empty."""
        ...


class _Request1(msgspec.Struct, omit_defaults=True):
    url: str
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    headers: dict[str, HeaderValue] | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType | None = msgspec.UNSET


class _Answer1(msgspec.Struct, omit_defaults=True):
    index: int
    status: int | msgspec.UnsetType = msgspec.UNSET
    headers: dict[str, HeaderValue] | msgspec.UnsetType = msgspec.UNSET
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class BatchForm1:
    """Version 1: calls and answers as bare objects, known by their index."""

    header = "x-orpc-batch"
    parameter = "batch"
    is_url_absolute = True

    def key(self, index: int) -> int | str:
        """See `BatchForm.key`."""
        return index

    def read_requests(self, payload: bytes) -> list[BatchRequest]:
        """See `BatchForm.read_requests`."""
        return [
            BatchRequest(index, item.method or None, item.url, item.headers or {}, _text(item.body))
            for index, item in enumerate(_read(payload, list[_Request1]))
        ]

    def write_requests(self, requests: Sequence[BatchRequest], *, method: str) -> bytes:
        """See `BatchForm.write_requests`."""
        return msgspec.json.encode(
            [
                _Request1(
                    request.url,
                    _raw(request.body),
                    dict(request.headers) or msgspec.UNSET,
                    msgspec.UNSET if request.method in (None, method) else request.method,
                )
                for request in requests
            ]
        )

    def read_answer(self, payload: bytes) -> BatchAnswer:
        """See `BatchForm.read_answer`."""
        answer = _read(payload, _Answer1)
        status = 207 if answer.status is msgspec.UNSET else answer.status
        return BatchAnswer(
            answer.index, Response(status, _pairs(answer.headers), _text(answer.body))
        )

    def write_answer(self, answer: BatchAnswer) -> bytes:
        """See `BatchForm.write_answer`."""
        response = answer.response
        index = int(answer.key)
        headers = _mapping(response.headers) or msgspec.UNSET
        return msgspec.json.encode(
            _Answer1(index, response.status, headers, _raw(_complete(response)))
        )


class _Call2(msgspec.Struct):
    method: str
    url: str
    headers: dict[str, HeaderValue] = {}
    bodyHint: str = "none"  # noqa: N815 - the wire calls it so
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Reply2(msgspec.Struct):
    status: int
    headers: dict[str, HeaderValue] = {}
    bodyHint: str = "none"  # noqa: N815 - the wire calls it so
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Request2(msgspec.Struct):
    id: str
    kind: str
    json: _Call2 | msgspec.UnsetType = msgspec.UNSET


class _Answer2(msgspec.Struct):
    id: str
    kind: str
    json: _Reply2


class BatchForm2:
    """The beta of version 2: messages with ids."""

    header = "orpc-batch"
    parameter = "data"
    is_url_absolute = False

    def key(self, index: int) -> int | str:
        """See `BatchForm.key`."""
        return str(index + 1)

    def read_requests(self, payload: bytes) -> list[BatchRequest]:
        """See `BatchForm.read_requests`."""
        return [
            BatchRequest(
                item.id, item.json.method, item.json.url, item.json.headers, _text(item.json.body)
            )
            for item in _read(payload, list[_Request2])
            # Other kinds take a call back: that of a batch is given up as a whole.
            if item.kind == "request" and not isinstance(item.json, msgspec.UnsetType)
        ]

    def write_requests(self, requests: Sequence[BatchRequest], *, method: str) -> bytes:
        """See `BatchForm.write_requests`."""
        return msgspec.json.encode(
            [
                _Request2(
                    str(request.key),
                    "request",
                    _Call2(
                        request.method or method,
                        request.url,
                        dict(request.headers),
                        _hint(request.body),
                        _raw(request.body),
                    ),
                )
                for request in requests
            ]
        )

    def read_answer(self, payload: bytes) -> BatchAnswer:
        """See `BatchForm.read_answer`."""
        answer = _read(payload, _Answer2)
        json = answer.json
        headers = _pairs(json.headers)
        if json.bodyHint == "json" and first_header(headers, "content-type") is None:
            headers += _JSON
        return BatchAnswer(answer.id, Response(json.status, headers, _text(json.body)))

    def write_answer(self, answer: BatchAnswer) -> bytes:
        """See `BatchForm.write_answer`."""
        response = answer.response
        body = _complete(response)
        reply = _Reply2(response.status, _mapping(response.headers), _hint(body), _raw(body))
        return msgspec.json.encode(_Answer2(str(answer.key), "response", reply))


BATCH_FORMS: Final[Mapping[Dialect, BatchForm]] = {"v1": BatchForm1(), "v2": BatchForm2()}


def split_array(payload: bytes) -> list[bytes]:
    """The elements of a JSON array, as they are written.

    Raises:
        BatchFormError: It is no array.
    """
    return [bytes(item) for item in _read(payload, list[msgspec.Raw])]


def with_length(message: bytes) -> bytes:
    """A message of a streamed answer of version 2."""
    return len(message).to_bytes(_LENGTH, "big") + message


class LengthDecoder:
    """Takes bytes cut anywhere and gives the messages of a streamed answer of version 2.

    Args:
        max_size: Bytes of one message.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """The messages that end in this piece; raises `BatchFormError` for one too large."""
        self._rest += piece
        messages: list[bytes] = []
        start = 0
        while len(self._rest) - start >= _LENGTH:
            length = int.from_bytes(self._rest[start : start + _LENGTH], "big")
            if length > self._max_size:
                raise BatchFormError(f"one answer is larger than {self._max_size} bytes")
            end = start + _LENGTH + length
            if end > len(self._rest):
                break
            messages.append(bytes(self._rest[start + _LENGTH : end]))
            start = end
        del self._rest[:start]
        return messages


def _read(payload: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BatchFormError(str(error)) from error


def _complete(response: Response) -> bytes:
    assert isinstance(response.body, bytes)  # noqa: S101 - streams have no place in a batch
    return response.body


def _text(raw: msgspec.Raw | msgspec.UnsetType) -> bytes:
    return b"" if isinstance(raw, msgspec.UnsetType) else bytes(raw)


def _raw(body: bytes) -> msgspec.Raw | msgspec.UnsetType:
    return msgspec.Raw(body) if body else msgspec.UNSET


def _hint(body: bytes) -> str:
    return "json" if body else "none"


def _mapping(headers: Headers) -> dict[str, HeaderValue]:
    found: dict[str, HeaderValue] = {}
    for name, value in headers:
        before = found.get(name)
        if before is None:
            found[name] = value
        else:
            found[name] = [*([before] if isinstance(before, str) else before), value]
    return found


def _pairs(headers: Mapping[str, HeaderValue] | msgspec.UnsetType | None) -> Headers:
    if headers is None or isinstance(headers, msgspec.UnsetType):
        return ()
    return tuple(
        (name.lower(), value)
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    )
