"""Forms as `multipart/form-data`, read piece by piece (WIRE.md 3). Pure.

As strict as the reader in Node.js: lines end in CR LF, names and file names stand in double quotes
with `"`, CR and LF percent-encoded, and nothing comes before the first boundary or after the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MAX_HEADER_BYTES: Final = 16 * 1024
"""Bytes of all header lines of one part; the client writes about 100."""

MAX_BOUNDARY: Final = 200
"""Characters of a boundary; the standard allows 70, the client writes 35."""

_CRLF: Final = b"\r\n"
_BOUNDARY: Final = re.compile(
    r'multipart/form-data(?:;[^;]*)*?;[ \t]*boundary=(?:"([^"]+)"|([^;,\s"]+))', re.IGNORECASE
)
_DISPOSITION: Final = re.compile(
    r'form-data; *name="(?P<name>[^"]*)"(?:; *filename="(?P<filename>[^"]*)")?', re.IGNORECASE
)
_ESCAPES: Final = re.compile(r"%0A|%0D|%22", re.IGNORECASE)
_ESCAPED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_HEADER_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class MultipartError(ValueError):
    """This is no form; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PartStart:
    """The head of a part; its content follows as bytes, then a `PartEnd`."""

    name: str
    filename: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class PartEnd:
    """All of the part was there."""


Event = PartStart | bytes | PartEnd


class _State(Enum):
    FIRST_BOUNDARY = auto()
    AFTER_BOUNDARY = auto()
    HEADERS = auto()
    CONTENT = auto()
    TRAILER = auto()


class MultipartReader:
    """Takes a form in pieces, cut anywhere, and tells what is in it; holds next to nothing of it.

    Args:
        boundary: What separates the parts, as `boundary_of` finds it.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = _CRLF + b"--" + boundary
        self._state = _State.FIRST_BOUNDARY
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """What this piece completes; has to be consumed before the next one is fed.

        Raises:
            MultipartError: This is no form.
        """
        self._rest = self._rest + piece if self._rest else piece
        while True:
            state, left = self._state, len(self._rest)
            event = self._step()
            if event is not None:
                yield event
            elif self._state is state and len(self._rest) == left:
                return

    def end(self) -> None:
        """Say that there are no more pieces.

        Raises:
            MultipartError: The form is not complete.
        """
        if self._state is not _State.TRAILER or self._rest not in (b"", _CRLF):
            raise MultipartError("the form ends before its last boundary")

    def _step(self) -> Event | None:
        """Consume something of the rest, and give an event if that makes one.

        A step that neither consumes nor changes the state waits for more.
        """
        match self._state:
            case _State.FIRST_BOUNDARY:
                self._first_boundary()
            case _State.AFTER_BOUNDARY:
                self._after_boundary()
            case _State.HEADERS:
                return self._headers()
            case _State.CONTENT:
                return self._content()
            case _State.TRAILER:
                self._trailer()
        return None

    def _first_boundary(self) -> None:
        first = self._delimiter[len(_CRLF) :]
        if self._rest.startswith(first):
            self._rest = self._rest[len(first) :]
            self._state = _State.AFTER_BOUNDARY
        elif not first.startswith(self._rest):
            raise MultipartError("expected the form to begin with its boundary")

    def _after_boundary(self) -> None:
        if len(self._rest) < len(_CRLF):
            return
        mark, self._rest = self._rest[:2], self._rest[2:]
        if mark == _CRLF:
            self._state = _State.HEADERS
        elif mark == b"--":
            self._state = _State.TRAILER
        else:
            raise MultipartError("expected a line break after a boundary")

    def _headers(self) -> PartStart | None:
        if self._rest.startswith(_CRLF):
            raise MultipartError("a part without headers")
        end = self._rest.find(_CRLF + _CRLF, 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._rest) >= MAX_HEADER_BYTES:
                raise MultipartError(f"headers of a part are longer than {MAX_HEADER_BYTES} bytes")
            return None
        part = _part_of(self._rest[:end])
        self._rest = self._rest[end + 2 * len(_CRLF) :]
        self._state = _State.CONTENT
        return part

    def _content(self) -> bytes | PartEnd | None:
        rest, delimiter = self._rest, self._delimiter
        end = rest.find(delimiter)
        if end == 0:
            self._rest = rest[len(delimiter) :]
            self._state = _State.AFTER_BOUNDARY
            return PartEnd()
        if end < 0:
            # All but what may be the begin of a delimiter.
            end = rest.rfind(b"\r", max(0, len(rest) - len(delimiter) + 1))
            if end < 0 or not delimiter.startswith(rest[end:]):
                end = len(rest)
        if end == 0:
            return None
        self._rest = rest[end:]
        return rest[:end] if end < len(rest) else rest

    def _trailer(self) -> None:
        if not _CRLF.startswith(self._rest):
            raise MultipartError("something follows the last boundary")


def boundary_of(content_type: str) -> bytes:
    """The boundary that a content-type header names, quoted or not.

    Raises:
        MultipartError: There is none, or it is too long.
    """
    match = _BOUNDARY.match(content_type)
    boundary = "" if match is None else match[1] or match[2]
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        raise MultipartError("content-type: expected a boundary of a reasonable length")
    return boundary.encode("latin-1", "replace")


def part_head(boundary: str, name: str, filename: str | None, content_type: str | None) -> bytes:
    """The boundary and the headers before the content of a part, as WIRE.md 3 shows them."""
    disposition = f'form-data; name="{name.translate(_ESCAPED)}"'
    if filename is not None:
        disposition += f'; filename="{filename.translate(_ESCAPED)}"'
    lines = [f"--{boundary}", f"Content-Disposition: {disposition}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode()


def form_end(boundary: str) -> bytes:
    """What ends a form, after the line break that ends its last part."""
    return f"--{boundary}--\r\n".encode()


def _part_of(block: bytes) -> PartStart:
    headers: dict[bytes, str] = {}
    for line in block.split(_CRLF):
        name, colon, value = line.partition(b":")
        if not colon or not _HEADER_NAME.fullmatch(name) or b"\r" in value or b"\n" in value:
            raise MultipartError("a header line of a part is malformed")
        headers[name.lower()] = value.strip(b" \t").decode("utf-8", "replace")
    disposition = _DISPOSITION.fullmatch(headers.get(b"content-disposition", ""))
    if disposition is None:
        raise MultipartError(
            'a part needs: Content-Disposition: form-data; name="..."; filename="..."'
        )
    filename = disposition["filename"]
    return PartStart(
        name=_unescaped(disposition["name"]),
        filename=None if filename is None else _unescaped(filename),
        content_type=headers.get(b"content-type") or "text/plain",
    )


def _unescaped(text: str) -> str:
    return _ESCAPES.sub(lambda match: chr(int(match[0][1:], 16)), text)
