"""The built-in type tags, by number and as each dialect writes them (WIRE.md 2 and 11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .dialect import Dialect

BIGINT, DATE, NAN, UNDEFINED_TAG, URL, REGEXP, SET, MAP = range(8)

WRITTEN: Final[Mapping[Dialect, tuple[int | str, ...]]] = {
    "v1": tuple(range(8)),
    "v2": ("bigint", "date", "nan", "undefined", "url", "regexp", "set", "map"),
}
"""What stands in a meta entry for each number."""
