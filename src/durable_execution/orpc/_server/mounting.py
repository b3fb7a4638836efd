"""Paths below the place an application is mounted at."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from durable_execution.orpc._protocol import encode_path, resolve_dot_segments, strip_prefix

_LONGEST_KEPT: Final = 200


def path_inside(raw: bytes | None, path: str, root: str) -> str | None:
    """The percent-encoded path below the place this application is mounted at.

    `path` is of no use: decoded, a slash inside a name looks like a separator. None when dot
    segments lead out of the mount.
    """
    # Most requests have one of a few short paths.
    find = _kept if len(path) + len(raw or b"") <= _LONGEST_KEPT else _found
    return find(raw, path, root)


def _found(raw: bytes | None, path: str, root: str) -> str | None:
    if raw is None:
        path = encode_path(path.removeprefix("/").split("/"))
    else:
        path = raw.partition(b"?")[0].decode("latin-1")
    root = root.removesuffix("/")
    if _below_root(path, root) is None:  # this server leaves the root out of the path
        return resolve_dot_segments(path)
    return _below_root(resolve_dot_segments(path), root)


_kept = lru_cache(maxsize=512)(_found)


def _below_root(path: str, root: str) -> str | None:
    """Cut a decoded root off an encoded path: at the slash before which both are the same."""
    plain = strip_prefix(path, root)
    if plain is not None or "%" not in path:
        return plain
    cut = 0
    # A decoded slash may come from %2F, so at most this many slashes of the path are in the root.
    for _ in range(root.count("/")):
        cut = path.find("/", cut + 1)
        cut = len(path) if cut < 0 else cut
        if unquote(path[:cut]) == root:
            return path[cut:]
    return None
