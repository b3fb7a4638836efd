"""What a type hint is made of."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

from .blob import Opaque
from .dates import JsDate
from .js_collections import JsMap, JsSet
from .scalars import BigInt, RegExp, Url
from .undefined import Undefined

OWN_TYPES = (BigInt, JsDate, JsMap, JsSet, Opaque, RegExp, Undefined, Url)

_NO_ARRAYS = (str, bytes, bytearray, memoryview, Mapping, JsSet)
_SINGLE = frozenset({str, int, bool, type(None), types.UnionType})
_PYDANTIC_MARKS = ("__pydantic_core_schema__", "__pydantic_validator__")


def is_anything(hint: object) -> bool:
    """Whether the hint says nothing, so that any value fits."""
    return hint is Any or hint is object or hint is inspect.Parameter.empty


def parts_of(hint: object, seen: set[object] | None = None) -> Iterator[object]:
    """Give every class in a hint and the extra arguments of every Annotated, fields included."""
    seen = set() if seen is None else seen
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__  # type: ignore[attr-defined] # which Annotated has
        yield from parts_of(get_args(hint)[0], seen)
        return
    for argument in get_args(hint):
        yield from parts_of(argument, seen)
    origin = get_origin(hint) or hint
    value = getattr(origin, "__value__", None)  # `type X = ...`
    if value is not None:
        yield from parts_of(value, seen)
    if not isinstance(origin, type) or origin in seen:
        return
    seen.add(origin)
    yield origin
    if _has_fields(origin):
        for field in get_type_hints(origin, include_extras=True).values():
            yield from parts_of(field, seen)


def is_pydantic(part: object) -> bool:
    """Whether only pydantic knows what this part means. Imports nothing to find out."""
    if isinstance(part, type):
        return any(hasattr(part, mark) for mark in _PYDANTIC_MARKS)
    return type(part).__module__.partition(".")[0] in ("pydantic", "annotated_types")


def is_array(part: object) -> bool:
    """Whether values of this class are arrays in JSON."""
    if not isinstance(part, type) or issubclass(part, _NO_ARRAYS):
        return False
    return issubclass(part, Collection) or (
        issubclass(part, msgspec.Struct) and part.__struct_config__.array_like
    )


def is_unknown(part: object) -> bool:
    """Whether neither msgspec nor this package can make values of this class."""
    if not isinstance(part, type) or issubclass(part, (*OWN_TYPES, PurePath, msgspec.UnsetType)):
        return False
    if part.__module__ == "types" or is_anything(part):  # UnionType itself
        return False
    return isinstance(msgspec.inspect.type_info(part), msgspec.inspect.CustomType)


def is_closed_part(part: object) -> bool:
    """Whether values of this class, being what they are, need not be made natural before.

    Not containers, which may hold anything, and not float, beside which a whole float is an int.
    """
    if not isinstance(part, type):
        return isinstance(part, msgspec.Meta | str)
    return part in _SINGLE or _has_fields(part)


def _has_fields(part: type) -> bool:
    return (
        dataclasses.is_dataclass(part)
        or is_typeddict(part)
        or issubclass(part, msgspec.Struct)
        or (issubclass(part, tuple) and hasattr(part, "_fields"))
    )
