"""What stands beside a type in `Annotated`: bounds and descriptions, msgspec's and pydantic's.

Both are known by the names of their attributes, so that pydantic need not be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from durable_execution.codegen.shapes import Bound

MAX_SAFE_INTEGER: Final = 2**53 - 1

_NAMES: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}


def bounds_of(metadata: Iterable[object]) -> tuple[tuple[str, Bound], ...]:
    """Return the bounds by the names that JSON Schema has for them; lengths as those of texts."""
    found: dict[str, Bound] = {}
    for each in metadata:
        for name, schema_name in _NAMES.items():
            value = getattr(each, name, None)
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                found[schema_name] = value
    return tuple(found.items())


def is_wide(bounds: Iterable[tuple[str, Bound]]) -> bool:
    """Whether bounds tell of integers that a double cannot hold."""
    return any(isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER + 1 for _, value in bounds)


def description_in(metadata: Iterable[object]) -> str:
    """Return the description, or an empty text."""
    for each in metadata:
        description = getattr(each, "description", None)
        if isinstance(description, str):
            return description
    return ""
