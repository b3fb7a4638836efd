"""What a type hint says, as data that a printer of any language can read.

A shape means both directions at once. Where they differ, it says so: a field may be optional on the
way in and always there on the way out, or have another name, or exist in one direction alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Direction: TypeAlias = Literal["in", "out"]
"""Into a task, or out of it."""

ScalarKind: TypeAlias = Literal[
    "null",
    "undefined",
    "boolean",
    "integer",
    "wide integer",
    "bigint",
    "number",
    "string",
    "bytes",
    "instant",
    "date",
    "time",
    "duration",
    "decimal",
    "uuid",
    "url",
    "regexp",
    "never",
]
"""An "integer" is taken to fit into 53 bits; a "wide integer" has bounds beyond them."""

LiteralValue: TypeAlias = str | int | float | bool | None
Bound: TypeAlias = int | float | str


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value without parts."""

    kind: ScalarKind


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever the codec carries."""


@dataclass(frozen=True, slots=True)
class Literals:
    """One of these values."""

    values: tuple[LiteralValue, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """Any number of values in order."""

    items: Shape


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a tuple. Those that may be left out of an input come last."""

    shape: Shape
    name: str | None = None
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Tuple:
    """A fixed number of values, each of its own shape."""

    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Set:
    """Values without repetition. An array is taken for one, unless the hint names JavaScript's."""

    items: Shape
    is_javascripts: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """Values by key."""

    key: Shape
    value: Shape
    keys: MappingKeys = "any"


MappingKeys: TypeAlias = Literal["text", "any", "other", "javascript's"]
"""Texts in Python make an object. Any others, those of a plain `Enum` among them, make a Map; but
without keys it is an object, too. JavaScript's own is a Map always."""


@dataclass(frozen=True, slots=True)
class Union:
    """Any of these shapes."""

    members: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Constrained:
    """A shape with bounds, named as JSON Schema names them."""

    shape: Shape
    bounds: tuple[tuple[str, Bound], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A property. One that exists in one direction alone has no name in the other."""

    shape: Shape
    name_in: str | None
    name_out: str | None
    is_optional_in: bool = False
    is_optional_out: bool = False
    doc: str = ""

    def name(self, direction: Direction) -> str | None:
        """What the property is called, or None if there is none."""
        return self.name_in if direction == "in" else self.name_out

    def is_optional(self, direction: Direction) -> bool:
        """Whether the property may be missing."""
        return self.is_optional_in if direction == "in" else self.is_optional_out


@dataclass(frozen=True, slots=True)
class Object:
    """Properties by name, and the shape of those that are not named, if there may be any.

    An input may have more properties than are named, which nobody looks at, unless it is strict.
    """

    fields: tuple[Field, ...]
    others: Shape | None = None
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A shape that has a name; it may lead to itself."""

    key: int


Container: TypeAlias = Array | Tuple | Set | Mapping | Object
Shape: TypeAlias = Scalar | Anything | Literals | Union | Constrained | Reference | Container

NULL: Final = Scalar("null")
UNDEFINED: Final = Scalar("undefined")
NEVER: Final = Scalar("never")
ANYTHING: Final = Anything()


@dataclass(slots=True)
class Definition:
    """A shape with a name: of a class, an enum, a `NewType` or an alias."""

    name: str
    """What Python calls it, with what fills in its parameters: `PageOfOrder`."""
    module: str
    """Where it is from, to tell it from others of its name."""
    doc: str = ""
    shape: Shape = field(default_factory=Anything)


@dataclass(frozen=True, slots=True)
class Definitions:
    """All shapes with a name, by the key of their references."""

    all: dict[int, Definition] = field(default_factory=dict)

    def __getitem__(self, reference: Reference) -> Definition:
        return self.all[reference.key]

    def resolved(self, shape: Shape) -> Shape:
        """The shape itself, behind names and bounds."""
        seen: set[int] = set()
        while isinstance(shape, Reference | Constrained):
            if isinstance(shape, Constrained):
                shape = shape.shape
            elif shape.key in seen:
                return ANYTHING  # an alias of itself says nothing
            else:
                seen.add(shape.key)
                shape = self[shape].shape
        return shape


def parts_of(shape: Shape, direction: Direction) -> Iterator[Shape]:
    """Give the shapes that a shape is made of, one level down, as one direction sees them."""
    match shape:
        case Array(items) | Set(items):
            yield items
        case Tuple(slots):
            yield from (slot.shape for slot in slots)
        case Mapping(key, value):
            yield from (key, value)
        case Union(members):
            yield from members
        case Constrained(inner):
            yield inner
        case Object(fields, others):
            yield from (each.shape for each in fields if each.name(direction) is not None)
            if others is not None:
                yield others
        case Scalar() | Anything() | Literals() | Reference():
            pass
