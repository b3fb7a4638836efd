"""The header that names a file which is a body of its own (WIRE.md 11.3)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

# Among what quote() would encode, the characters that may stand in an extended parameter.
_PLAIN: Final = "!^`|"
_NOT_ASCII: Final = re.compile(r"[^\x20-\x7e]")
_EXTENDED: Final = re.compile(r"filename\*=(?:UTF-8'')?([^;]*)", re.IGNORECASE)
_QUOTED: Final = re.compile(r'filename="((?:\\"|[^"])*)"', re.IGNORECASE)
_BAD_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")


def content_disposition(filename: str) -> str:
    """The header for a file of this name: once in ASCII, once complete."""
    plain = _NOT_ASCII.sub("_", _as_utf16(filename)).replace('"', '\\"')
    return f"inline; filename=\"{plain}\"; filename*=utf-8''{quote(filename, safe=_PLAIN)}"


def filename_of(header: str) -> str | None:
    """The name in such a header; the complete one first. None when there is none."""
    extended = _EXTENDED.search(header)
    if extended is not None:
        return _decoded(extended[1])
    quoted = _QUOTED.search(header)
    return None if quoted is None else quoted[1].replace('\\"', '"')


def _as_utf16(text: str) -> str:
    """Characters beyond the first plane as two, as JavaScript counts them."""
    return re.sub("[\U00010000-\U0010ffff]", "__", text)


def _decoded(text: str) -> str:
    if _BAD_PERCENT.search(text):
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text
