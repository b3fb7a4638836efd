"""Bodies that were compressed by their server."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final

ENCODINGS: Final = "gzip, deflate"
"""What a request says that its sender can read."""

_PIECE: Final = 256 * 1024
_ZLIB: Final = 8
"""The low half of the first byte of what has the header of zlib; some servers leave that out."""


class UnpackingError(Exception):
    """This is not what it was announced as."""


class Unpacked:
    """Reads a compressed body, never unpacking much more than is asked for.

    Args:
        read: Gives the next piece of the body; none at its end.
        encoding: What its server says of it.

    Raises:
        UnpackingError: The encoding is not one of those that were asked for.
    """

    def __init__(self, read: Callable[[], bytes], encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise UnpackingError(f"content-encoding {encoding!r} was not asked for")
        self._read = read
        self._is_gzip = encoding != "deflate"
        self._unpacker: Any = None
        self._packed = b""
        self._has_more = False  # than fitted into the last piece

    def read(self) -> bytes:
        """The next piece; none at the end.

        Raises:
            UnpackingError: It is broken, or ends too soon.
            Exception: What reading the body raises.
        """
        while True:
            if not self._packed and not self._has_more:
                self._packed = self._read()
                if not self._packed:
                    if self._unpacker is not None and not self._unpacker.eof:
                        raise UnpackingError("the compressed body ends too soon")
                    return b""
            if piece := self._unpacked():
                return piece

    def _unpacked(self) -> bytes:
        if self._unpacker is None or (self._unpacker.eof and self._packed):
            # There may be several, one after the other.
            self._unpacker = zlib.decompressobj(self._window(self._packed[0]))
        try:
            piece: bytes = self._unpacker.decompress(self._packed, _PIECE)
        except zlib.error as error:
            raise UnpackingError(str(error)) from error
        self._packed = self._unpacker.unconsumed_tail or self._unpacker.unused_data
        self._has_more = len(piece) == _PIECE
        return piece

    def _window(self, first: int) -> int:
        if self._is_gzip:
            return 16 + zlib.MAX_WBITS
        return zlib.MAX_WBITS if first & 0xF == _ZLIB else -zlib.MAX_WBITS
