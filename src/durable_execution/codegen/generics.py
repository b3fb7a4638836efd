"""The hints of a class's fields, with what its type parameters stand for put in their place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints, is_typeddict


def field_hints(cls: type, arguments: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return the hints of a class's own and inherited fields, for these type arguments.

    A parameter that nothing is given for stands for its bound, or for anything.
    """
    filled = _filled(cls, arguments)
    hints: dict[str, Any] = {}
    for base in getattr(cls, "__orig_bases__", cls.__bases__):
        origin = get_origin(base) or base
        if isinstance(origin, type) and origin not in (object, Generic):
            hints.update(field_hints(origin, get_args(substituted(base, filled))))
    inherited = set(hints) if is_typeddict(cls) else set()  # which repeats those of its bases
    own = inspect.get_annotations(cls).keys() - inherited
    resolved = get_type_hints(cls, include_extras=True) if own else {}
    # In the order in which they were written, which a set has not.
    hints.update({name: substituted(resolved[name], filled) for name in resolved if name in own})
    return hints


def substituted(hint: Any, filled: Mapping[Any, Any]) -> Any:
    """Put hints in the place of type parameters."""
    if isinstance(hint, TypeVar):
        return filled.get(hint, _unfilled(hint))
    parameters = getattr(hint, "__parameters__", ())
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint  # a class by itself, whose parameters nothing fills in here
    if not parameters:
        return hint
    return hint[tuple(filled.get(each, _unfilled(each)) for each in parameters)]


def _filled(cls: type, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    parameters = getattr(cls, "__parameters__", ())
    given = arguments if len(arguments) == len(parameters) else map(_unfilled, parameters)
    return dict(zip(parameters, given, strict=True))


def _unfilled(parameter: Any) -> Any:
    bound = getattr(parameter, "__bound__", None)
    return Any if bound is None else bound
