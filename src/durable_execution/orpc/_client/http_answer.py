"""Answers of HTTP/1.1 as they stand on the wire: their heads, and where their bodies end. Pure.

Not `http.client`: that takes a head that was cut off for a complete one, breaks lines within values
of UTF-8, and needs three times as long.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from durable_execution.orpc._protocol import Headers

MAX_HEAD: Final = 64 * 1024
"""Bytes of a head, and of a line amid a body."""

_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: .*)?")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_BODILESS: Final = frozenset({204, 304})


class BadAnswerError(Exception):
    """This is not HTTP."""


class CutOffError(ConnectionError):
    """The connection ended before the answer did."""


class NoAnswerError(CutOffError):
    """The connection ended before the answer began."""


class Head(NamedTuple):
    """What comes before a body.

    Attributes:
        status: The HTTP status.
        headers: Names in lower case.
        length: Bytes of the body; None when it says itself where it ends, or the connection does.
        is_chunked: Whether it says that itself.
        is_kept: Whether the connection can be used again behind the body.
    """

    status: int
    headers: Headers
    length: int | None
    is_chunked: bool
    is_kept: bool


def parse_head(text: bytes) -> Head:
    """The head in this text, which is all before the empty line.

    Raises:
        BadAnswerError: It is none.
    """
    first, *lines = text.split(b"\r\n")
    found = _STATUS.fullmatch(first)
    if found is None:
        raise BadAnswerError(f"it begins with {first[:40]!r}")
    status = int(found[2])
    headers = tuple([_header(line) for line in lines])
    coding = connection = ""
    length: str | None = None
    for name, value in headers:
        if name == "content-length":
            if length not in (None, value) or not _LENGTH.fullmatch(value):
                raise BadAnswerError("its content-length is no number")
            length = value
        elif name == "transfer-encoding":
            coding = value.rpartition(",")[2].strip().lower()
        elif name == "connection":
            connection += value.lower()
    is_kept = "close" not in connection and (found[1] == b"1" or "keep-alive" in connection)
    if status in _BODILESS or status < 200:
        return Head(status, headers, 0, is_chunked=False, is_kept=is_kept)
    if coding:
        is_chunked = coding == "chunked"
        return Head(status, headers, None, is_chunked, is_kept and is_chunked)
    if length is None:
        return Head(status, headers, None, is_chunked=False, is_kept=False)
    return Head(status, headers, int(length), is_chunked=False, is_kept=is_kept)


class BodyReader:
    """Reads the body that follows a head, and nothing behind it.

    Args:
        head: That of the answer.
        take: Gives the next bytes, at most so many; none where the connection ends.
        take_line: Gives the next line without its end.
    """

    def __init__(
        self, head: Head, take: Callable[[int], bytes], take_line: Callable[[], bytes]
    ) -> None:
        self._is_chunked = head.is_chunked
        self._is_open_ended = head.length is None and not head.is_chunked
        self._left = head.length or 0
        self._is_over = head.length == 0
        self._take = take
        self._take_line = take_line

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end.

        Raises:
            CutOffError: The connection ended before the body did.
            BadAnswerError: This is not how a body goes on.
        """
        if self._is_chunked and not self._left and not self._is_over:
            self._begin_chunk()
        if self._is_over:
            return b""
        piece = self._take(size if self._is_open_ended else min(size, self._left))
        if self._is_open_ended:
            self._is_over = not piece
            return piece
        if not piece:
            raise CutOffError("the answer was cut off")
        self._left -= len(piece)
        if not self._left:
            if self._is_chunked:
                self._end_line()
            else:
                self._is_over = True
        return piece

    def _begin_chunk(self) -> None:
        line = self._take_line()
        found = _SIZE.fullmatch(line)
        if found is None:
            raise BadAnswerError(f"a chunk begins with {line[:40]!r}")
        self._left = int(found[1], 16)
        if not self._left:
            self._is_over = True
            while self._take_line():
                pass  # trailers, which mean nothing here

    def _end_line(self) -> None:
        line = self._take_line()
        if line:
            raise BadAnswerError(f"a chunk ends with {line[:40]!r}")


def _header(line: bytes) -> tuple[str, str]:
    # As aiohttp reads them: some servers send names of files as they are.
    name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise BadAnswerError(f"a header is {line[:40]!r}")
    return name.lower(), value.strip(" \t")
