"""The two dialects of the wire: version 1, and the beta of version 2 (WIRE.md 11.3)."""

from __future__ import annotations

from typing import Final, Literal, get_args

Dialect = Literal["v1", "v2"]
"""What a peer speaks: `v1` is every `@orpc` package of version 1, `v2` is `2.0.0-beta.16`."""

DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)


def checked_dialect(dialect: Dialect) -> Dialect:
    """The dialect, when it is one.

    Raises:
        ValueError: Neither "v1" nor "v2".
    """
    if dialect not in DIALECTS:
        raise ValueError(f"dialect: expected one of {', '.join(DIALECTS)}, got {dialect!r}")
    return dialect
