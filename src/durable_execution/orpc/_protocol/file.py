"""`File`: bytes with a name and a content type, which travel beside the JSON (WIRE.md 3)."""

from __future__ import annotations

import asyncio
import io
import mimetypes
import os
import re
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeAlias

from durable_execution._codec import Blob

DEFAULT_NAME: Final = "blob"
DEFAULT_TYPE: Final = "application/octet-stream"

CHUNK_SIZE: Final = 256 * 1024
"""Bytes read from disk at once: enough that a hop to a thread costs little beside them."""

Source: TypeAlias = "bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO"

_CONTENT_TYPE: Final = re.compile(r"[\x20-\x7e]+")


class File(Blob):
    """A file that is sent or was received; both `File` and `Blob` of JavaScript.

        return File(Path("report.pdf"))
        await client.upload({"photo": File(photo_bytes, name="me.jpg")})

        async def upload(ctx: CallContext, input: Upload) -> int:
            await input.photo.save(folder / "photo.jpg")      # in a `def` handler: write_to
            return input.photo.size

    `read`, `seek`, `close`, `filename`, `content_type`, `size` and `file` are those of Starlette's
    `UploadFile`, which in turn may stand wherever a file is sent. `open`, `read_bytes`,
    `read_text` and `write_to` block: they are for `def` handlers, which run in threads, and for
    scripts.

    When a call ends, its server closes the files of its input and output, and what was received
    is deleted; `keep` prevents that. A client leaves the files it sends alone; those it receives
    are deleted when they are closed, or no longer used.

    Args:
        source: The content: bytes, a path, or a seekable file opened in binary mode, of which
            everything is sent wherever its position is. A path is opened anew for each use.
        name: Told to the other side; by default the name of the path or the open file, else
            "blob". A received name is whatever the sender chose: never use it as a path.
        content_type: By default guessed from the name, else "application/octet-stream".

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: The name is empty or holds a lone surrogate, the content type is not printable
            ASCII, or the source cannot seek.
    """

    __slots__ = (
        "__weakref__",
        "_content_type",
        "_is_kept",
        "_lock",
        "_name",
        "_reader",
        "_source",
    )

    def __init__(
        self, source: Source, name: str | None = None, content_type: str | None = None
    ) -> None:
        self._source: bytes | Path | BinaryIO | None = _checked_source(source)
        self._name = _checked_name(_name_of(source) if name is None else name)
        guessed = mimetypes.guess_type(self._name)[0] or DEFAULT_TYPE
        self._content_type = guessed if content_type is None else _checked_type(content_type)
        self._lock = Lock()
        self._reader: BinaryIO | None = None
        self._is_kept = False

    @property
    def name(self) -> str:
        """As the sender calls it; a received one may hold anything, path separators too."""
        return self._name

    @property
    def filename(self) -> str:
        """The same as `name`."""
        return self._name

    @property
    def content_type(self) -> str:
        """As the sender says; nobody has looked into the content."""
        return self._content_type

    @property
    def size(self) -> int:
        """Bytes; of a path, as it is now.

        Raises:
            OSError: The path cannot be looked at.
            ValueError: The file is closed.
        """
        source = self._opened()
        if isinstance(source, bytes):
            return len(source)
        if isinstance(source, Path):
            return source.stat().st_size
        with self._lock:
            return source.seek(0, os.SEEK_END)

    @property
    def is_in_memory(self) -> bool:
        """Whether reading waits for no disk."""
        return isinstance(self._source, bytes)

    @property
    def file(self) -> BinaryIO:
        """The open file that `read` and `seek` use, for reading it from a thread."""
        if self._reader is None:
            self._reader = self.open()
        return self._reader

    def open(self) -> BinaryIO:
        """Open it for reading from its begin, with a position of its own; blocks.

        Raises:
            OSError: The path cannot be opened.
            ValueError: The file is closed.
        """
        source = self._opened()
        if isinstance(source, bytes):
            return io.BytesIO(source)
        if isinstance(source, Path):
            return source.open("rb")
        return io.BufferedReader(_Window(self, source, self._lock), CHUNK_SIZE)

    def read_bytes(self) -> bytes:
        """All of it; blocks."""
        source = self._opened()
        if isinstance(source, bytes):
            return source
        with self.open() as reader:
            return reader.read()

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """All of it as text; blocks."""
        return self.read_bytes().decode(encoding, errors)

    def write_to(self, target: str | os.PathLike[str] | BinaryIO) -> None:
        """Copy it to a path, replacing what is there, or into an open binary file; blocks."""
        with self.open() as reader:
            if not isinstance(target, str | os.PathLike):
                shutil.copyfileobj(reader, target, CHUNK_SIZE)
                return
            with Path(target).open("wb") as writer:
                shutil.copyfileobj(reader, writer, CHUNK_SIZE)

    async def read(self, size: int = -1) -> bytes:
        """The next bytes after those read before: at most `size`, or all; none at the end."""
        if self.is_in_memory:
            return self.file.read(size)
        return await asyncio.to_thread(lambda: self.file.read(size))

    async def seek(self, offset: int) -> None:
        """Let `read` go on at this byte."""
        self.file.seek(offset)

    async def save(self, path: str | os.PathLike[str]) -> None:
        """Copy it to a path, replacing what is there."""
        await asyncio.to_thread(self.write_to, path)

    async def close(self) -> None:
        """Let go of the content; a temporary file is deleted, an open one it was made of closed."""
        self._close()

    def keep(self) -> Self:
        """Let it outlive the call it belongs to; whoever keeps a file closes it."""
        self._is_kept = True
        return self

    def release(self) -> None:
        """Close it unless it was kept; what a server does to each file when the call ends."""
        if not self._is_kept:
            self._close()

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """The content from its begin, in pieces."""
        source = self._opened()
        if isinstance(source, bytes):
            for start in range(0, len(source), CHUNK_SIZE):
                yield source[start : start + CHUNK_SIZE]
            return
        reader = await asyncio.to_thread(self.open)
        try:
            while piece := await asyncio.to_thread(reader.read, CHUNK_SIZE):
                yield piece
        finally:
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def __repr__(self) -> str:
        return f"File({self._name!r}, {self._content_type!r})"

    def _opened(self) -> bytes | Path | BinaryIO:
        if self._source is None:
            raise ValueError(
                f"file {self._name!r} is closed, as the files of a call are when it ends; a "
                "handler that needs one for longer calls keep() on it"
            )
        return self._source

    def _close(self) -> None:
        reader, source = self._reader, self._source
        self._reader = self._source = None
        if reader is not None:
            reader.close()
        if source is not None and not isinstance(source, bytes | Path):
            source.close()


def as_file(value: Any) -> File:
    """The file to send for what the codec set aside: it, or an upload of a web framework."""
    if isinstance(value, File):
        return value
    return File(value.file, value.filename or DEFAULT_NAME, value.content_type or None)


class _Window(io.RawIOBase):
    """A reader of a shared file with a position of its own."""

    def __init__(self, owner: File, source: BinaryIO, lock: Lock) -> None:
        # While somebody reads, the owner must not be forgotten, and the file with it.
        self._owner = owner
        self._source = source
        self._lock = lock
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._lock:
            self._source.seek(self._position)
            piece = self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._owner.size
        if offset < 0:
            raise ValueError(f"seek: expected a position in the file, got {offset}")
        self._position = offset
        return offset

    def tell(self) -> int:
        return self._position


def _checked_source(source: Any) -> bytes | Path | BinaryIO:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, os.PathLike):
        return Path(source)
    if isinstance(source, str):
        raise TypeError("File: got a str; pass Path(...) for a path, or text.encode() for content")
    if isinstance(source, io.TextIOBase) or not hasattr(source, "read"):
        raise TypeError(
            "File: expected bytes, a path or a file opened in binary mode, "
            f"got {type(source).__name__}"
        )
    if not (hasattr(source, "seekable") and source.seekable()):
        raise ValueError("File: the open file cannot seek; read it into bytes or a temporary file")
    opened: BinaryIO = source
    return opened


def _name_of(source: Source) -> str:
    if isinstance(source, os.PathLike):
        return Path(source).name
    name = getattr(source, "name", None)
    return Path(name).name or DEFAULT_NAME if isinstance(name, str) else DEFAULT_NAME


def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"File.name: expected str, got {type(name).__name__}")
    if not name:
        raise ValueError("File.name: expected a name; a file without one is read as text")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"File.name: {name!r} holds a lone surrogate") from error
    return name


def _checked_type(content_type: str) -> str:
    if not isinstance(content_type, str):
        raise TypeError(f"File.content_type: expected str, got {type(content_type).__name__}")
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise ValueError(
            f"File.content_type: expected printable ASCII such as 'image/png', got {content_type!r}"
        )
    return content_type
