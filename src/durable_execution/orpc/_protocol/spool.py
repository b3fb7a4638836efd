"""Content of received files: in memory up to a bound, then in temporary files on disk."""

from __future__ import annotations

import asyncio
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import BinaryIO, Final, Protocol, cast

from durable_execution._waiting import blocking
from durable_execution.orpc._protocol.file import DEFAULT_NAME, DEFAULT_TYPE, File
from durable_execution.orpc._protocol.stream import Body, BodyTooLargeError, close_body

_BUFFER: Final = 64 * 1024
_DISK_PIECE: Final = 512 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """How much of files one message may bring.

    Attributes:
        max_bytes: Bytes of all files together; more is refused, a request with 413.
        max_files: How many there may be.
        max_memory: Bytes of all files together that are held in memory. What is beyond is written
            to the directory for temporary files, and deleted with the file.
    """

    max_bytes: int = 100 * 1024 * 1024
    max_files: int = 100
    max_memory: int = 1024 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "max_memory" else 1
            if type(value) is not int or value < least:
                raise ValueError(
                    f"FileLimits.{field.name}: expected an int of at least {least}, got {value!r}"
                )


class Sink(Protocol):
    """Takes a body in pieces."""

    @property
    def is_on_disk(self) -> bool:
        """Whether the next `feed` may block for as long as a disk takes."""
        ...

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        ...


class Spool:
    """Takes the content of one file after the other, all within the same limits."""

    def __init__(self, limits: FileLimits) -> None:
        self._limits = limits
        self._size = 0
        self._count = 0
        self._in_memory = 0
        self._pieces: list[bytes] = []
        self._disk: BinaryIO | None = None

    @property
    def is_on_disk(self) -> bool:
        """See `Sink.is_on_disk`."""
        return self._disk is not None or self._in_memory >= self._limits.max_memory

    def begin(self) -> None:
        """Begin the next file.

        Raises:
            BodyTooLargeError: It is one too many.
        """
        self._count += 1
        if self._count > self._limits.max_files:
            raise BodyTooLargeError

    def feed(self, piece: bytes) -> None:
        """Go on with the file.

        Raises:
            BodyTooLargeError: That is more than the limits allow.
            OSError: The disk is full, or there is none.
        """
        self._size += len(piece)
        if self._size > self._limits.max_bytes:
            raise BodyTooLargeError
        if self._disk is None and self._in_memory + len(piece) > self._limits.max_memory:
            self._move_to_disk()
        if self._disk is not None:
            self._disk.write(piece)
        else:
            self._in_memory += len(piece)
            self._pieces.append(piece)

    def end(self, name: str, content_type: str) -> File:
        """End the file, and give it under the name and the type its sender says it has."""
        disk, self._disk = self._disk, None
        pieces, self._pieces = self._pieces, []
        name = name.encode("utf-8", "replace").decode() or DEFAULT_NAME
        content_type = content_type if _is_printable(content_type) else DEFAULT_TYPE
        if disk is None:
            return File(b"".join(pieces), name, content_type)
        disk.flush()
        file = File(disk, name, content_type)
        # A temporary file that is forgotten while open is a warning, and this one is meant so.
        weakref.finalize(file, disk.close)
        return file

    def discard(self, files: Sequence[File] = ()) -> None:
        """Give up the file that was begun, and those that were ended."""
        if self._disk is not None:
            self._disk.close()
        self._pieces.clear()
        for file in files:
            file.release()

    def _move_to_disk(self) -> None:
        self._disk = cast("BinaryIO", tempfile.TemporaryFile(buffering=_BUFFER))  # noqa: SIM115
        for piece in self._pieces:
            self._disk.write(piece)
            self._in_memory -= len(piece)
        self._pieces.clear()


async def pour(body: Body, sink: Sink) -> None:
    """Read a body into a sink, in a thread as soon as a disk has part in it; closes the body.

    Raises:
        Exception: What the body and the sink raise.
    """
    if isinstance(body, bytes):
        sink.feed(body)
        return
    waiting = bytearray()
    try:
        async for piece in body:
            if not sink.is_on_disk:
                sink.feed(piece)
                continue
            waiting += piece
            if len(waiting) >= _DISK_PIECE:
                await _in_thread(sink.feed, bytes(waiting))
                waiting.clear()
        if waiting:
            await _in_thread(sink.feed, bytes(waiting))
    finally:
        await close_body(body)


async def _in_thread(feed: Callable[[bytes], None], piece: bytes) -> None:
    """Feed from a thread; who is cancelled meanwhile waits for it, as nothing stops a thread."""
    if blocking() is not None:
        feed(piece)
        return
    feeding = asyncio.ensure_future(asyncio.to_thread(feed, piece))
    try:
        await asyncio.shield(feeding)
    except asyncio.CancelledError:
        await asyncio.gather(feeding, return_exceptions=True)
        raise


def _is_printable(content_type: str) -> bool:
    return content_type.isascii() and content_type.isprintable() and content_type != ""
