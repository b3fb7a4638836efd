"""Frames of an event stream: text to frames and back, piece by piece. Pure (WIRE.md 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LINE_BREAK: Final = re.compile(rb"\r\n|\r|\n")
_BOM: Final = b"\xef\xbb\xbf"


class FrameError(Exception):
    """What arrived is no event stream: it was cut off, or one frame is too large."""


class CutOffError(FrameError):
    """The stream ended amid a frame: the connection broke, or the other side did."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands between two empty lines.

    Attributes:
        event: Its name; None when it has none.
        data: UTF-8, lines joined with LF; None without a data line, which is not empty data.
        id: Where to resume after this frame.
        retry: Milliseconds to wait before resuming.
        comments: Lines no reader acts upon.
    """

    event: str | None = None
    data: bytes | None = None
    id: str | None = None
    retry: int | None = None
    comments: tuple[str, ...] = ()


def encode_frame(frame: Frame) -> bytes:
    """The text of a frame, fields in the order every client reads (WIRE.md 7).

    Raises:
        ValueError: A comment, the name or the id holds a line break, or retry is no integer >= 0.
    """
    lines = [b": " + check_line("comment", comment).encode() for comment in frame.comments]
    if frame.event is not None:
        lines.append(b"event: " + check_line("event", frame.event).encode())
    if frame.retry is not None:
        lines.append(b"retry: %d" % check_retry(frame.retry))
    if frame.id is not None:
        lines.append(b"id: " + check_line("id", frame.id).encode())
    if frame.data is not None:
        data = frame.data
        if b"\n" in data or b"\r" in data:
            lines += [b"data: " + line for line in _LINE_BREAK.split(data)]
        else:
            lines.append(b"data: " + data)
    lines.append(b"\n" if lines else b"")
    return b"\n".join(lines) if len(lines) > 1 else b"\n"


def check_line(field: str, text: str) -> str:
    """The text, when it fits on one line.

    Raises:
        ValueError: It holds a line break.
    """
    if "\n" in text or "\r" in text:
        raise ValueError(f"Event's {field} must not contain a carriage return or newline character")
    return text


def check_retry(retry: int) -> int:
    """Milliseconds, when they are such.

    Raises:
        ValueError: Not an integer >= 0.
    """
    if type(retry) is not int or retry < 0:
        raise ValueError("Event's retry must be a integer and >= 0")
    return retry


class FrameDecoder:
    """Takes bytes cut anywhere and gives complete frames; holds at most one that is not complete.

    Reads LF, CR and CRLF, one optional space after the colon, a byte order mark at the start.

    Args:
        max_size: Bytes of one frame.
    """

    __slots__ = ("_is_first", "_is_open", "_lines", "_max_size", "_rest", "_size", "_skips_lf")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._rest = bytearray()  # a line without its end
        self._lines: list[bytes] = []  # lines of the frame that is not complete
        self._size = 0  # of those lines
        self._is_open = False  # whether anything came since the last frame ended
        self._skips_lf = False  # whether the last byte was a CR, whose LF may follow
        self._is_first = True

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that end in this piece.

        Raises:
            FrameError: The frame is larger than `max_size`.
        """
        if self._skips_lf and piece:
            self._skips_lf = False
            if piece.startswith(b"\n"):
                piece = piece[1:]
        if not piece:
            return []
        self._rest += piece
        if b"\n" not in piece and b"\r" not in piece:
            self._check_size()
            return []
        lines = bytes(self._rest).splitlines()
        is_complete = piece.endswith((b"\n", b"\r"))
        self._rest = bytearray(b"" if is_complete else lines.pop())
        self._skips_lf = piece.endswith(b"\r")
        frames = [frame for line in lines if (frame := self._take(line)) is not None]
        self._check_size()
        return frames

    def finish(self) -> None:
        """Say that nothing follows.

        Raises:
            FrameError: A frame was not complete; even a single line break counts (WIRE.md 7).
        """
        if self._is_open or self._rest:
            raise CutOffError("Event Iterator ended before complete")

    def _take(self, line: bytes) -> Frame | None:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        if line:
            self._lines.append(line)
            self._size += len(line)
            self._is_open = True
            self._check_size()
            return None
        # The first of two line breaks that follow a frame opens the next one.
        self._is_open = not self._is_open
        if self._is_open or not self._lines:
            return None
        frame = _parsed(self._lines)
        self._lines.clear()
        self._size = 0
        return frame

    def _check_size(self) -> None:
        if self._size + len(self._rest) > self._max_size:
            raise FrameError(f"One event is larger than {self._max_size} bytes")


def _parsed(lines: list[bytes]) -> Frame:
    event: str | None = None
    identifier: str | None = None
    retry: int | None = None
    data: list[bytes] = []
    comments: list[str] = []
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"data":
                data.append(value)
            case b"event":
                event = value.decode(errors="replace")
            case b"":
                comments.append(value.decode(errors="replace"))
            case b"id":
                identifier = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) <= _LONGEST_RETRY:
                retry = int(value)
    joined = b"\n".join(data) if data else None
    return Frame(event, joined, identifier, retry, tuple(comments))


# Three years; a longer number is no time to wait.
_LONGEST_RETRY: Final = 11
