"""The docstrings that people wrote, told from those that Python makes up."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any


def own_doc(owner: Any) -> str:
    """Return the docstring of a class or function, cleaned; empty if it has none of its own."""
    doc = owner.__dict__.get("__doc__") if isinstance(owner, type) else owner.__doc__
    if not isinstance(doc, str):
        return ""
    is_made_up = isinstance(owner, type) and (
        # `Email(to: str)` of a dataclass, `Point(x, y)` of a named tuple.
        (doc.startswith(f"{owner.__name__}(") and _is_record(owner)) or doc == "An enumeration."
    )
    return "" if is_made_up else inspect.cleandoc(doc)


def _is_record(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or issubclass(cls, tuple)
