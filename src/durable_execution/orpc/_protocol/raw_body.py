"""A file or a stream of bytes that is a body of its own (WIRE.md 6.1, 11.3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Final

from durable_execution._codec import Opaque
from durable_execution.orpc._protocol.content_disposition import content_disposition, filename_of
from durable_execution.orpc._protocol.file import DEFAULT_NAME, DEFAULT_TYPE, File
from durable_execution.orpc._protocol.form import MAX_WHOLE, FileBody
from durable_execution.orpc._protocol.http import Headers, first_header
from durable_execution.orpc._protocol.spool import FileLimits, Spool, pour
from durable_execution.orpc._protocol.stream import Body, ByteStream
from durable_execution.orpc._protocol.version2 import HINT

_OCTETS: Final[Headers] = ((HINT, "octet-stream"), ("content-type", DEFAULT_TYPE))


class OctetStream(Opaque):
    """Bytes without a known end, as the whole output of a procedure: `return OctetStream(pieces)`.

    In version 1 they are sent as they are and no RPC client can read them: they are for links and
    downloads. In version 2 they may also be the whole input, and clients get an `OctetStream`: to
    be read once, and to be closed when it is not read to its end.
    """

    __slots__ = ("_pieces", "_source")

    def __init__(self, pieces: AsyncIterable[bytes] | Iterable[bytes]) -> None:
        if isinstance(pieces, bytes | str) or not isinstance(pieces, AsyncIterable | Iterable):
            raise TypeError(
                f"OctetStream: expected an iterable of bytes, sync or async, got {type(pieces)}"
            )
        self._source = pieces
        self._pieces: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces that are left."""
        if self._pieces is None:
            source = self._source
            self._pieces = (
                aiter(source) if isinstance(source, AsyncIterable) else _one_by_one(source)
            )
        return self._pieces

    async def read(self) -> bytes:
        """All that is left; it has no bound of its own."""
        return b"".join([piece async for piece in self])

    async def aclose(self) -> None:
        """Give up what is left; the connection behind it goes with it."""
        for stream in (self._pieces, self._source):
            if isinstance(stream, ByteStream):
                await stream.aclose()


async def read_raw_file(body: Body, headers: Headers, limits: FileLimits) -> File:
    """The file that is this body; closes the body.

    Raises:
        BodyTooLargeError: It is more than the limits allow; reading stopped there.
        Exception: What the body raises.
    """
    spool = Spool(limits)
    spool.begin()
    try:
        await pour(body, spool)
    except BaseException:
        spool.discard()
        raise
    disposition = first_header(headers, "content-disposition") or ""
    name = filename_of(disposition) or DEFAULT_NAME
    return spool.end(name, first_header(headers, "content-type") or "")


def write_raw_file(file: File) -> tuple[Headers, Body]:
    """The headers and the body of a message that is this file.

    Raises:
        OSError, ValueError: The file is not there, or closed.
    """
    headers: Headers = (
        (HINT, "file"),
        ("content-type", file.content_type),
        ("content-disposition", content_disposition(file.name)),
    )
    body = FileBody(file)
    if file.is_in_memory and body.size <= MAX_WHOLE:
        return headers, file.read_bytes()
    return (*headers, ("content-length", str(body.size))), body


def write_octets(stream: OctetStream) -> tuple[Headers, Body]:
    """The headers and the body of a message that is this stream."""
    return _OCTETS, stream


async def _one_by_one(pieces: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece
