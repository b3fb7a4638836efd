"""Classes with fields: dataclasses, TypedDicts, NamedTuples, msgspec structs, pydantic models."""

from __future__ import annotations

import collections.abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin, is_typeddict

import msgspec

from durable_execution.codegen import pydantic_models
from durable_execution.codegen.bounds import description_in
from durable_execution.codegen.generics import field_hints
from durable_execution.codegen.shapes import (
    UNDEFINED,
    Field,
    Literals,
    Object,
    Shape,
    Slot,
    Tuple,
    Union,
)
from durable_execution.errors import StoredError

if TYPE_CHECKING:
    from durable_execution.codegen.reading import ShapeReader

MAPPINGS: Final = collections.abc.Mapping
SETS: Final = collections.abc.Set
ARRAYS: Final = collections.abc.Collection


def is_model(cls: type) -> bool:
    """Whether a class has fields that the codec reads and writes."""
    return (
        pydantic_models.is_model(cls)
        or dataclasses.is_dataclass(cls)
        or is_typeddict(cls)
        or issubclass(cls, msgspec.Struct)
        or _is_named_tuple(cls)
    )


def read(reader: ShapeReader, cls: type, arguments: tuple[Any, ...]) -> Shape:
    """Return the shape of a class with fields, its type parameters filled in."""
    if pydantic_models.is_model(cls):
        return pydantic_models.read(reader, cls)
    hints = field_hints(cls, arguments)
    if issubclass(cls, msgspec.Struct):
        return _struct(reader, cls, hints)
    if is_typeddict(cls):
        return _typed_dict(reader, cls, hints)
    if _is_named_tuple(cls):
        return _named_tuple(reader, cls, hints)
    return _dataclass(reader, cls, hints)


def field_of(
    shape: Shape,
    name: str,
    *,
    doc: str = "",
    is_optional_in: bool = False,
    is_optional_out: bool = False,
) -> Field:
    """Make a field of one name. What may be undefined may be missing, and is never undefined."""
    if isinstance(shape, Union) and UNDEFINED in shape.members:
        rest = tuple(each for each in shape.members if each != UNDEFINED)
        shape = rest[0] if len(rest) == 1 else Union(rest)
        is_optional_in = is_optional_out = True
    return Field(shape, name, name, is_optional_in, is_optional_out, doc)


_UNSENT: Final[Mapping[type, tuple[str, ...]]] = {StoredError: ("traceback", "cause")}
"""What the executor keeps to itself."""


def _dataclass(reader: ShapeReader, cls: Any, hints: Mapping[str, Any]) -> Shape:
    return Object(
        tuple(
            field_of(
                reader.read(hints[each.name]),
                each.name,
                doc=_description(hints[each.name]),
                is_optional_in=each.default is not dataclasses.MISSING
                or each.default_factory is not dataclasses.MISSING,
            )
            for each in dataclasses.fields(cls)
        )
    )


def _typed_dict(reader: ShapeReader, cls: Any, hints: Mapping[str, Any]) -> Shape:
    return Object(
        tuple(
            field_of(
                reader.read(hint),
                name,
                doc=_description(hint),
                is_optional_in=may_be_missing,
                is_optional_out=may_be_missing,
            )
            for name, hint in hints.items()
            for may_be_missing in [_may_be_missing(cls, name, hint)]
        )
    )


def _may_be_missing(cls: Any, name: str, hint: Any) -> bool:
    # Hints that are texts hide their wrappers from the class's own bookkeeping.
    wrapper = getattr(get_origin(hint), "_name", "")
    if wrapper in ("Required", "NotRequired"):
        return bool(wrapper == "NotRequired")
    return name not in cls.__required_keys__


def _named_tuple(reader: ShapeReader, cls: Any, hints: Mapping[str, Any]) -> Shape:
    names: tuple[str, ...] = cls._fields
    shapes = [reader.read(hints.get(name, Any)) for name in names]
    return Tuple(_slots(names, shapes, [name in cls._field_defaults for name in names]))


def _struct(reader: ShapeReader, cls: type[msgspec.Struct], hints: Mapping[str, Any]) -> Shape:
    config = cls.__struct_config__
    unsent = _UNSENT.get(cls, ())
    fields = [each for each in msgspec.structs.fields(cls) if each.name not in unsent]
    shapes = [reader.read(hints[each.name]) for each in fields]
    if config.array_like:
        names = [each.name for each in fields]
        slots = _slots(names, shapes, [not each.required for each in fields])
        tag = () if config.tag is None else (Slot(Literals((config.tag,)), "tag"),)
        return Tuple((*tag, *slots))
    tagged = []
    if config.tag is not None and config.tag_field is not None:
        tagged.append(field_of(Literals((config.tag,)), config.tag_field))
    return Object(
        (
            *tagged,
            *(
                field_of(
                    shape,
                    each.encode_name,
                    doc=_description(hints[each.name]),
                    is_optional_in=not each.required,
                )
                for each, shape in zip(fields, shapes, strict=True)
            ),
        ),
        is_strict=config.forbid_unknown_fields,
    )


def _slots(
    names: collections.abc.Sequence[str], shapes: list[Shape], has_default: list[bool]
) -> tuple[Slot, ...]:
    """Make slots, of which those may be left out that have a default and none without follow."""
    last_needed = max((i for i, default in enumerate(has_default) if not default), default=-1)
    return tuple(
        Slot(shape, name, index > last_needed)
        for index, (name, shape) in enumerate(zip(names, shapes, strict=True))
    )


def _description(hint: Any) -> str:
    while get_origin(hint) is not None and get_origin(hint) is not Annotated:
        arguments = get_args(hint)  # Required, NotRequired and their like stand around it
        if len(arguments) != 1:
            return ""
        hint = arguments[0]
    return description_in(hint.__metadata__) if get_origin(hint) is Annotated else ""


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and hasattr(cls, "_fields")
