"""A value with files as a form: read piece by piece, and written so (WIRE.md 3)."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from durable_execution._codec import RejectedEnvelope, TypedJson
from durable_execution.orpc._protocol.file import File
from durable_execution.orpc._protocol.http import Headers
from durable_execution.orpc._protocol.multipart import (
    MultipartError,
    MultipartReader,
    PartEnd,
    PartStart,
    boundary_of,
    form_end,
    part_head,
)
from durable_execution.orpc._protocol.spool import FileLimits, Spool, pour
from durable_execution.orpc._protocol.stream import Body, BodyTooLargeError, close_body

_CRLF: Final = b"\r\n"

MAX_WHOLE: Final = 256 * 1024
"""Bytes of a message of files in memory that is not worth to be sent in pieces."""

_SPARE_PARTS: Final = 16  # the part `data`, and a few that are ignored


class FormReader:
    """Takes a form in pieces, and keeps of it what the value needs.

    Parts that no value can refer to are dropped as they arrive.
    """

    def __init__(
        self, content_type: str, codec: TypedJson, limits: FileLimits, max_data_size: int
    ) -> None:
        """Begin.

        Args:
            content_type: Names the boundary.
            codec: Reads the part `data`.
            limits: Bounds of the files.
            max_data_size: Bytes of the part `data`.

        Raises:
            MultipartError: The content type names no boundary.
        """
        self._reader = MultipartReader(boundary_of(content_type))
        self._codec = codec
        self._spool = Spool(limits)
        self._most_parts = limits.max_files + _SPARE_PARTS
        self._parts = 0
        self._part: PartStart | None = None
        self._data: list[bytes] | None = None
        self._data_size = 0
        self._max_data_size = max_data_size
        self._files: dict[str, File] = {}

    @property
    def is_on_disk(self) -> bool:
        """See `Sink.is_on_disk`."""
        return self._spool.is_on_disk

    def feed(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            MultipartError: This is no form.
            RejectedEnvelope: It is one, but not of a value.
            BodyTooLargeError: It is more than the limits allow.
        """
        for event in self._reader.feed(piece):
            if isinstance(event, bytes):
                self._content(event)
            elif isinstance(event, PartEnd):
                self._end()
            else:
                self._begin(event)

    def value(self) -> Any:
        """The value, once the form has ended; files that are no part of it are closed.

        Raises:
            MultipartError: The form is not complete.
            DecodeError: There is no envelope in it, or its files are missing.
        """
        self._reader.end()
        if self._data is None:
            raise RejectedEnvelope("the form has no part named data")
        return self._codec.loads_with_files(b"".join(self._data), self._files)

    def files(self) -> Sequence[File]:
        """Those that have arrived; whoever is done with the value closes them."""
        return tuple(self._files.values())

    def discard(self) -> None:
        """Give up what has arrived."""
        self._spool.discard(self.files())

    def _begin(self, part: PartStart) -> None:
        self._parts += 1
        if self._parts > self._most_parts:
            raise BodyTooLargeError
        # The first of a name is the one that counts; a file of the name `data` is no envelope.
        if part.name == "data" and self._data is None:
            if part.filename is not None:
                raise RejectedEnvelope("the part named data is a file")
            self._data = []
            self._part = part
        elif part.filename and part.name not in self._files and _is_index(part.name):
            self._spool.begin()
            self._part = part
        else:
            self._part = None

    def _content(self, piece: bytes) -> None:
        if self._part is None:
            return
        if self._part.filename is not None:
            self._spool.feed(piece)
            return
        assert self._data is not None  # noqa: S101 - begun above
        self._data_size += len(piece)
        if self._data_size > self._max_data_size:
            raise BodyTooLargeError
        self._data.append(piece)

    def _end(self) -> None:
        part, self._part = self._part, None
        if part is not None and part.filename is not None:
            self._files[part.name] = self._spool.end(part.filename, part.content_type)


async def read_form(
    body: Body,
    content_type: str,
    codec: TypedJson,
    limits: FileLimits,
    *,
    max_data_size: int | None = None,
) -> tuple[Any, Sequence[File]]:
    """Read a form to its end, and give the value and the files that came; closes the body.

    When that fails, nothing is left of the files. The part `data` may have as many bytes as the
    codec takes, or `max_data_size`.

    Raises:
        MultipartError, DecodeError: It is no form, or not one of a value.
        BodyTooLargeError: It is more than the limits allow; reading stopped there.
        Exception: What the body raises.
    """
    try:
        reader = FormReader(content_type, codec, limits, max_data_size or codec.limits.max_bytes)
    except MultipartError:
        await close_body(body)
        raise
    try:
        await pour(body, reader)
        return reader.value(), reader.files()
    except BaseException:
        reader.discard()
        raise


def write_form(data: bytes, files: Sequence[File]) -> tuple[Headers, Body]:
    """The headers and the body of a message: whole if that is small, else made as it is sent.

    Raises:
        OSError, ValueError: A file is not there, or closed.
    """
    boundary = f"----formdata-{secrets.token_hex(16)}"
    body = _FormBody(boundary, data, files)
    headers: Headers = (("content-type", f"multipart/form-data; boundary={boundary}"),)
    if body.size <= MAX_WHOLE and all(file.is_in_memory for file in files):
        return headers, body.whole()
    return (*headers, ("content-length", str(body.size))), body


class _OfFiles(ABC):
    """A body made of files. It can be read as often as needed: each time they are opened anew."""

    def __init__(self) -> None:
        self._running: list[AsyncGenerator[bytes, None]] = []

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        pieces = self._pieces()
        self._running.append(pieces)
        return pieces

    async def aclose(self) -> None:
        """Close the files that were opened to read it."""
        while self._running:
            await self._running.pop().aclose()

    @abstractmethod
    def _pieces(self) -> AsyncGenerator[bytes, None]: ...


class _FormBody(_OfFiles):
    def __init__(self, boundary: str, data: bytes, files: Sequence[File]) -> None:
        super().__init__()
        first = part_head(boundary, "data", None, None) + data + _CRLF
        heads = [
            part_head(boundary, str(index), file.name, file.content_type)
            for index, file in enumerate(files)
        ]
        self._heads = [first + heads[0], *(_CRLF + head for head in heads[1:])]
        self._files = [(file, file.size) for file in files]
        self._end = _CRLF + form_end(boundary)
        self.size = sum(map(len, self._heads)) + sum(s for _, s in self._files) + len(self._end)

    def whole(self) -> bytes:
        """All of it, from files that are in memory."""
        parts = [
            head + file.read_bytes()
            for head, (file, _) in zip(self._heads, self._files, strict=True)
        ]
        return b"".join([*parts, self._end])

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        for head, (file, size) in zip(self._heads, self._files, strict=True):
            yield head
            async with aclosing(_exactly(file, size)) as pieces:
                async for piece in pieces:
                    yield piece
        yield self._end


class FileBody(_OfFiles):
    """A file as a body."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file
        self.size = file.size

    def _pieces(self) -> AsyncGenerator[bytes, None]:
        return _exactly(self._file, self.size)


async def _exactly(file: File, size: int) -> AsyncGenerator[bytes, None]:
    """The content of a file of which was said how long it is.

    Raises:
        RuntimeError: It has changed since; the message cannot be completed.
    """
    left = size
    async with aclosing(aiter(file)) as pieces:
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                break
            yield piece
    if left:
        raise RuntimeError(f"file {file.name!r} changed while it was sent; it had {size} bytes")


def _is_index(name: str) -> bool:
    """Whether the part of this name may be one of the files of `maps`."""
    return name.isascii() and name.isdecimal() and len(name) <= 9 and str(int(name)) == name
