"""Models and dataclasses of pydantic, read without importing it: who has one has loaded it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_execution.codegen.shapes import ANYTHING, Field, Object, Shape

if TYPE_CHECKING:
    from durable_execution.codegen.reading import ShapeReader


def is_model(cls: type) -> bool:
    """Whether a class is a pydantic model or a pydantic dataclass."""
    return "pydantic" in sys.modules and hasattr(cls, "__pydantic_decorators__")


def read(reader: ShapeReader, cls: Any) -> Shape:
    """Return the shape of a model: aliases, defaults, and what is only in or only out."""
    if getattr(cls, "__pydantic_root_model__", False):
        root = _infos(cls)["root"]
        return reader.read_annotated(root.annotation, root.metadata)
    decorators = cls.__pydantic_decorators__
    if decorators.model_serializers:
        # Whatever it gives, its own code decides.
        return Object(tuple(_only_in(each) for each in _fields(reader, cls)), ANYTHING)
    fields = [*_fields(reader, cls), *_computed(reader, decorators)]
    config: Any = getattr(cls, "model_config", {})
    extra = config.get("extra")
    others = ANYTHING if extra == "allow" else None
    return Object(tuple(fields), others, is_strict=extra == "forbid")


def _fields(reader: ShapeReader, cls: Any) -> list[Field]:
    serialized = {
        name
        for each in cls.__pydantic_decorators__.field_serializers.values()
        for name in each.info.fields
    }
    found: list[Field] = []
    for name, info in _infos(cls).items():
        whole = Field(
            reader.read_annotated(info.annotation, info.metadata),
            _name_in(info, name),
            _name_out(cls, info, name),
            is_optional_in=not info.is_required(),
            doc=info.description or "",
        )
        if name in serialized or "*" in serialized:
            found.append(_only_in(whole))
            found.append(dataclasses.replace(whole, shape=ANYTHING, name_in=None))
        else:
            found.append(whole)
    return found


def _computed(reader: ShapeReader, decorators: Any) -> list[Field]:
    return [
        Field(
            reader.read(each.info.return_type),
            None,
            each.info.alias or name,
            doc=each.info.description or "",
        )
        for name, each in decorators.computed_fields.items()
    ]


def _infos(cls: Any) -> Mapping[str, Any]:
    # The first is not there in pydantic 2.9, the second not in its dataclasses.
    infos: Mapping[str, Any] | None = getattr(cls, "__pydantic_fields__", None)
    return cls.model_fields if infos is None else infos


def _only_in(field: Field) -> Field:
    return dataclasses.replace(field, name_out=None)


def _name_in(info: Any, name: str) -> str:
    """The first of the names by which an input may call the field."""
    alias = info.validation_alias
    for choice in getattr(alias, "choices", (alias,)):
        if isinstance(choice, str):
            return choice
    return name


def _name_out(cls: Any, info: Any, name: str) -> str | None:
    if info.exclude is True:
        return None
    if dataclasses.is_dataclass(cls):
        return name  # which the codec writes by its own names
    alias: str | None = info.serialization_alias
    return alias or name
