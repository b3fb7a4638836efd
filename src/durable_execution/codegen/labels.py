"""What a hint is called when it needs one word: `Page[Order]` is `PageOfOrder`."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

_NO_WORD = re.compile(r"\W+", re.ASCII)


def label_of(hint: Any) -> str:
    """Return one word of letters, digits and underscores, which begins with no digit."""
    generic = getattr(hint, "__pydantic_generic_metadata__", None)
    if generic and generic["origin"] is not None:
        return _filled(generic["origin"], generic["args"])
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is None or not arguments:
        return _word(hint)
    if origin is Literal:
        return "Or".join(_capitalized(str(each)) for each in arguments)
    if getattr(origin, "__name__", "") in ("Union", "UnionType"):
        return "Or".join(_capitalized(label_of(each)) for each in arguments)
    return _filled(origin, arguments)


def _filled(origin: Any, arguments: tuple[Any, ...]) -> str:
    labels = [_capitalized(label_of(each)) for each in arguments if each is not Ellipsis]
    return f"{_word(origin)}Of{'And'.join(labels)}"


def _word(hint: Any) -> str:
    if hint is None or hint is type(None):
        return "None"
    name = getattr(hint, "__name__", None) or getattr(hint, "_name", None) or str(hint)
    word = _NO_WORD.sub("_", str(name)).strip("_") or "Type"
    return f"_{word}" if word[0].isdigit() else word


def _capitalized(label: str) -> str:
    label = _NO_WORD.sub("_", label).strip("_") or "Empty"
    return label[:1].upper() + label[1:]
