"""From type hints to shapes: what the codec makes of each hint, in both directions.

What has a name in Python keeps it: classes with fields, enums, `NewType`s and `type` aliases.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import PurePath
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    TypeVar,
    get_args,
    get_origin,
)
from typing import Union as TypingUnion
from uuid import UUID

import msgspec

from durable_execution._codec import BigInt, JsDate, JsMap, JsSet, Opaque, RegExp, Undefined, Url
from durable_execution.codegen import models
from durable_execution.codegen.bounds import bounds_of, is_wide
from durable_execution.codegen.docs import own_doc
from durable_execution.codegen.generics import substituted
from durable_execution.codegen.labels import label_of
from durable_execution.codegen.shapes import (
    ANYTHING,
    NEVER,
    NULL,
    UNDEFINED,
    Array,
    Constrained,
    Definition,
    Definitions,
    Literals,
    Mapping,
    MappingKeys,
    Reference,
    Scalar,
    ScalarKind,
    Set,
    Shape,
    Slot,
    Tuple,
    Union,
)

_SCALARS: Final[tuple[tuple[type, ScalarKind], ...]] = (
    # The narrower base first: a bool is an int, a datetime a date.
    (bool, "boolean"),
    (BigInt, "bigint"),
    (int, "integer"),
    (float, "number"),
    (Url, "url"),
    (str, "string"),
    (bytes, "bytes"),
    (bytearray, "bytes"),
    (memoryview, "bytes"),
    (datetime, "instant"),
    (JsDate, "instant"),
    (date, "date"),
    (time, "time"),
    (timedelta, "duration"),
    (Decimal, "decimal"),
    (UUID, "uuid"),
    (RegExp, "regexp"),
    (PurePath, "string"),
)
_WRAPPERS: Final = frozenset({"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"})
_NEVER: Final = frozenset({"Never", "NoReturn"})


class UnsupportedHintError(TypeError):
    """A hint that has no form in an execution; the message says which and why."""


class ShapeReader:
    """Reads hints, and gathers the shapes that have names. Each class is read once."""

    def __init__(self) -> None:
        self.definitions = Definitions()
        self._keys: dict[object, int] = {}

    def read(self, hint: Any) -> Shape:
        """Return the shape of a hint.

        Raises:
            UnsupportedHintError: The hint, or one inside of it, has no form in an execution.
        """
        if hint is None or hint is type(None):
            return NULL
        if hint is Any or hint is object or isinstance(hint, TypeVar):
            return ANYTHING
        origin = get_origin(hint)
        if origin is Annotated:
            return self.read_annotated(get_args(hint)[0], hint.__metadata__)
        if origin in (TypingUnion, UnionType):
            return union_of(map(self.read, get_args(hint)))
        if origin is Literal:
            return Literals(tuple(_plain(value) for value in get_args(hint)))
        named = self._by_name(hint, origin)
        return self._of_class(hint, origin or hint) if named is None else named

    def read_annotated(self, hint: Any, metadata: Iterable[object]) -> Shape:
        """Return the shape of a hint with bounds beside it."""
        shape = self.read(hint)
        bounds = bounds_of(metadata)
        if is_wide(bounds) and self.definitions.resolved(shape) == Scalar("integer"):
            shape = Scalar("wide integer")
        return Constrained(shape, bounds) if bounds else shape

    def define(self, hint: object, doc: str, read: Callable[[], Shape]) -> Reference:
        """Name the shape of a hint, and read it unless that was done, or is being done."""
        key = self._keys.get(_identity(hint))
        if key is None:
            key = self._keys[_identity(hint)] = len(self._keys)
            module = getattr(get_origin(hint) or hint, "__module__", "")
            definition = Definition(label_of(hint), module, doc)
            self.definitions.all[key] = definition
            definition.shape = read()
        return Reference(key)

    def _by_name(self, hint: Any, origin: Any) -> Shape | None:
        """Read what is not a class but has a name of the typing module's."""
        if isinstance(hint, NewType):
            return self.define(hint, "", lambda: self.read(hint.__supertype__))
        owner = origin or hint
        if hasattr(owner, "__value__"):  # `type X = ...`
            filled = dict(zip(owner.__type_params__, get_args(hint), strict=False))
            return self.define(hint, "", lambda: self.read(substituted(owner.__value__, filled)))
        name = getattr(owner, "__name__", getattr(owner, "_name", None))
        if getattr(owner, "__module__", "") in ("typing", "typing_extensions"):
            if name in _WRAPPERS:
                return self.read(get_args(hint)[0])
            if name in _NEVER:
                return NEVER
            if name == "LiteralString":
                return Scalar("string")
        return None

    def _of_class(self, hint: Any, cls: Any) -> Shape:
        if not isinstance(cls, type):
            return ANYTHING
        if issubclass(cls, Undefined | msgspec.UnsetType):
            return UNDEFINED
        if issubclass(cls, Enum):
            return self.define(cls, own_doc(cls), lambda: _enum(cls))
        for base, kind in _SCALARS:
            if issubclass(cls, base):
                return Scalar(kind)
        if models.is_model(cls):
            return self.define(hint, own_doc(cls), lambda: models.read(self, cls, get_args(hint)))
        return self._container(hint, cls)

    def _container(self, hint: Any, cls: type) -> Shape:
        arguments = get_args(hint)
        if issubclass(cls, Opaque):
            raise UnsupportedHintError(
                f"{cls.__name__}: files cannot be kept in an execution; send bytes, or where "
                "the file is"
            )
        if issubclass(cls, JsMap | models.MAPPINGS):
            key, value = (*arguments, Any, Any)[:2]
            keys = "javascript's" if issubclass(cls, JsMap) else _kind_of_keys(key)
            return Mapping(self.read(key), self.read(value), keys)
        if issubclass(cls, JsSet | models.SETS):
            items = self.read(arguments[0]) if arguments else ANYTHING
            return Set(items, is_javascripts=issubclass(cls, JsSet))
        if issubclass(cls, tuple) and hint is not cls and Ellipsis not in arguments:
            return Tuple(tuple(Slot(self.read(each)) for each in arguments))
        if issubclass(cls, models.ARRAYS):
            return Array(self.read(arguments[0]) if arguments else ANYTHING)
        return self._by_pydantic(cls)

    def _by_pydantic(self, cls: type) -> Shape:
        """Read a class that only pydantic knows, such as `EmailStr`, as its JSON schema has it."""
        pydantic = sys.modules.get("pydantic")
        if pydantic is None or not hasattr(cls, "__get_pydantic_core_schema__"):
            return ANYTHING
        kinds: dict[object, ScalarKind] = {
            "string": "string",
            "integer": "integer",
            "number": "number",
            "boolean": "boolean",
        }
        found = kinds.get(pydantic.TypeAdapter(cls).json_schema().get("type"))
        return ANYTHING if found is None else Scalar(found)


def union_of(members: Iterable[Shape]) -> Shape:
    """Return the union of shapes: flat, each once."""
    flat: dict[Shape, None] = {}
    for member in members:
        inner = member.members if isinstance(member, Union) else (member,)
        flat.update(dict.fromkeys(inner))
    if ANYTHING in flat:
        return ANYTHING
    return next(iter(flat)) if len(flat) == 1 else Union(tuple(flat))


def _kind_of_keys(hint: Any) -> MappingKeys:
    """Tell what keys of a hint are to the encoder, which looks at their class in Python."""
    if isinstance(hint, NewType):
        return _kind_of_keys(hint.__supertype__)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _kind_of_keys(arguments[0])
    if origin is Literal:
        return "text" if all(isinstance(each, str) for each in arguments) else "other"
    if origin in (TypingUnion, UnionType):
        kinds = {_kind_of_keys(each) for each in arguments}
        return kinds.pop() if len(kinds) == 1 else "any"
    if hint is Any or hint is object or not isinstance(origin or hint, type):
        return "any"
    is_text = isinstance(hint, type) and issubclass(hint, str) and not issubclass(hint, Url)
    return "text" if is_text else "other"


def _enum(cls: type[Enum]) -> Shape:
    if issubclass(cls, Flag):
        return Scalar("integer")
    values = [member.value for member in cls]
    if all(value is None or isinstance(value, str | int | float) for value in values):
        return Literals(tuple(values)) if values else NEVER
    return ANYTHING


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _identity(hint: object) -> object:
    """A hint by which to know it again; what cannot be hashed is known by its text."""
    try:
        hash(hint)
    except TypeError:
        return repr(hint)
    return hint
