"""Procedure paths as URL paths, and how a request path is compared with them (WIRE.md 4.1, 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

# encodeURIComponent leaves these alone too, besides letters, digits and the "_.-~" of quote().
_UNRESERVED: Final = "!*'()"

_BAD_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")

# The URL parser reads a percent-encoded dot as a dot, in these two kinds of segment only.
_SINGLE_DOT: Final = frozenset({".", "%2e"})
_DOUBLE_DOT: Final = frozenset({"..", ".%2e", "%2e.", "%2e%2e"})


def encode_path(segments: Iterable[str]) -> str:
    """The URL path of a procedure: each name as `encodeURIComponent` writes it, `/` before each.

    The empty path is `/`: the router itself is a procedure.

    Raises:
        ValueError: A name holds a lone surrogate, which no URL can carry.
    """
    return "/" + "/".join(map(_encode_segment, segments))


def resolve_dot_segments(path: str) -> str:
    """The path as a URL parser leaves it: `.` and `..` resolved, nothing else changed."""
    if "." not in path and "%2" not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        lowered = segment.lower()
        is_last = position == len(segments) - 1
        if lowered in _DOUBLE_DOT:
            del kept[-1:]
        elif lowered not in _SINGLE_DOT:
            kept.append(segment)
            continue
        if is_last:
            kept.append("")
    return "/" + "/".join(kept)


def strip_prefix(path: str, prefix: str) -> str | None:
    """What follows the prefix; None unless the path equals it or continues with `/` (5.1)."""
    if not prefix:
        return path
    if path != prefix and not path.startswith(prefix + "/"):
        return None
    return path[len(prefix) :]


def match_key(path: str) -> str:
    """The still percent-encoded path to compare with `encode_path`, exactly (5.2, 5.3).

    One leading and one trailing slash are ignored; a second one is not.
    """
    return "/" + path.removeprefix("/").removesuffix("/")


def normalised_key(key: str) -> str:
    """A match key in the encoding `encode_path` gives: `%70ing` becomes `ping` (WIRE.md 11.3).

    A segment that is no percent-encoded UTF-8 stays as it is before it is encoded again.
    """
    return encode_path(map(_decode_segment, key.split("/")[1:]))


def check_prefix(prefix: str) -> str:
    """The prefix in its one form: empty, or with a leading and without a trailing slash.

    Raises:
        ValueError: It does not begin with a slash, or carries a query or a fragment.
    """
    trimmed = prefix.removesuffix("/")
    if trimmed and not trimmed.startswith("/"):
        raise ValueError(f"prefix: expected a path such as '/rpc', got {prefix!r}")
    if "?" in trimmed or "#" in trimmed:
        raise ValueError(f"prefix: expected a path without query and fragment, got {prefix!r}")
    return trimmed


def _decode_segment(segment: str) -> str:
    if _BAD_PERCENT.search(segment):
        return segment
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return segment


def _encode_segment(segment: str) -> str:
    try:
        return quote(segment, safe=_UNRESERVED)
    except UnicodeEncodeError as error:
        raise ValueError(f"path segment {segment!r} holds a lone surrogate") from error
