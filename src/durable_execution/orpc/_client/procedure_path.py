"""The path of a procedure as callers give it, and as messages show it."""

from __future__ import annotations

from collections.abc import Sequence


def checked_path(path: Sequence[str]) -> tuple[str, ...]:
    """The names from the router down to the procedure.

    Raises:
        TypeError: Not a sequence of names; one text is not taken for a list of its letters.
        ValueError: A name is a dot segment: a URL parser resolves it, so that the call would reach
            another procedure.
    """
    names = () if isinstance(path, str) else tuple(path)
    if isinstance(path, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"path: expected a sequence of names such as ['planets'], got {path!r}")
    for name in names:
        if name in {".", ".."}:
            raise ValueError(f"path: {name!r} cannot be a procedure name in a URL")
    return names


def path_name(path: Sequence[str]) -> str:
    """For messages; the empty path is the router itself."""
    return "/".join(path) or "/"
