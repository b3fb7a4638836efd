"""Shapes as JSON schemas (2020-12, as OpenAPI 3.1 has them), of values as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, assert_never

from durable_execution.codegen import shapes
from durable_execution.codegen.shapes import (
    Container,
    Direction,
    LiteralValue,
    Reference,
    Scalar,
    ScalarKind,
    Shape,
)
from durable_execution.codegen.sides import Sides

JsonSchema: TypeAlias = dict[str, object]

COMPONENTS: Final = "#/components/schemas/"

_BASE64: Final = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
_DURATION: Final = (
    r"^[+-]?P(?!$)([0-9]{1,5}D)?"
    r"(T(?!$)([0-9]{1,5}H)?([0-9]{1,5}M)?([0-9]{1,5}(\.[0-9]{1,6})?S)?)?$"
)
_SCALARS: Final[Mapping[ScalarKind, JsonSchema]] = {
    "null": {"type": "null"},
    "undefined": {"type": "null"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "wide integer": {"type": "integer"},
    "bigint": {"type": "integer"},
    "number": {"type": "number"},
    "string": {"type": "string"},
    "bytes": {"type": "string", "contentEncoding": "base64", "pattern": _BASE64},
    "instant": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "duration": {"type": "string", "pattern": _DURATION},
    "decimal": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "url": {"type": "string", "format": "uri"},
    "regexp": {"type": "string"},
    "never": {"not": {}},
}
_LENIENT: Final[Mapping[ScalarKind, JsonSchema]] = {
    "decimal": {
        "anyOf": [
            {"type": "string", "pattern": r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$"},
            {"type": "number"},
        ]
    },
}
_KEYS: Final[Mapping[ScalarKind, JsonSchema]] = {
    "integer": {"pattern": "^(0|-?[1-9][0-9]{0,17})$"},
    "wide integer": {"pattern": "^(0|-?[1-9][0-9]{0,17})$"},
}
"""What keys look like as names of properties, where that is not what they look like as texts."""
_ITEM_BOUNDS: Final = {"minLength": "minItems", "maxLength": "maxItems"}
_PROPERTY_BOUNDS: Final = {"minLength": "minProperties", "maxLength": "maxProperties"}


class SchemaWriter(Sides[JsonSchema]):
    """Writes shapes as JSON schemas."""

    def components(self) -> dict[str, JsonSchema]:
        """Write the shapes with names that were used so far."""
        return {
            name: {**_described(definition.doc), **written}
            for name, definition, written in self.used()
        }

    def write(self, shape: Shape, direction: Direction) -> JsonSchema:
        """Write a shape as a schema."""
        match shape:
            case Scalar(kind):
                known = _LENIENT if direction == "in" and kind in _LENIENT else _SCALARS
                return dict(known[kind])
            case shapes.Anything():
                return {}
            case shapes.Literals(values):
                return _literals(values)
            case shapes.Union(members):
                found = [self.write(member, direction) for member in members]
                return {"anyOf": found}
            case shapes.Constrained(inner, bounds):
                return self._bounded(inner, dict(bounds), direction)
            case Reference(key):
                return {"$ref": f"{COMPONENTS}{self.name(key, direction)}"}
            case _:
                return self._container(shape, direction)

    def _container(self, shape: Container, direction: Direction) -> JsonSchema:
        match shape:
            case shapes.Set(_, is_javascripts=True):
                return {"type": "array"}  # of which nothing inside is checked
            case shapes.Array(items) | shapes.Set(items):
                return {"type": "array", "items": self.write(items, direction)}
            case shapes.Tuple(slots):
                least = sum(not (slot.is_optional and direction == "in") for slot in slots)
                return {
                    "type": "array",
                    "prefixItems": [self.write(slot.shape, direction) for slot in slots],
                    "minItems": least,
                    "maxItems": len(slots),
                }
            case shapes.Mapping():
                return self._mapping(shape, direction)
            case shapes.Object():
                return self._object(shape, direction)
            case _:
                assert_never(shape)

    def _mapping(self, shape: shapes.Mapping, direction: Direction) -> JsonSchema:
        if shape.keys == "javascript's":  # of which nothing inside is checked
            return {"type": "object"} if direction == "in" else {"type": ["object", "array"]}
        written: JsonSchema = {
            "type": "object",
            "additionalProperties": self.write(shape.value, direction),
        }
        key = self._definitions.resolved(shape.key)
        match key:
            case shapes.Anything():
                return written if shape.keys == "text" else {}
            case Scalar(kind):
                names = _KEYS.get(kind, {**_SCALARS[kind]})
                names.pop("type", None)
            case shapes.Literals(values):
                names = {"enum": [_key(value) for value in values]}
            case _:
                # Pairs, where the keys are no texts.
                return {"type": ["object", "array"]}
        return {**written, "propertyNames": names} if names else written

    def _object(self, shape: shapes.Object, direction: Direction) -> JsonSchema:
        properties: dict[str, object] = {}
        required: list[str] = []
        for field in shape.fields:
            name = field.name(direction)
            if name is None:
                continue
            properties[name] = {**_described(field.doc), **self.write(field.shape, direction)}
            if not field.is_optional(direction):
                required.append(name)
        written: JsonSchema = {"type": "object", "properties": properties}
        if required:
            written["required"] = required
        if shape.others is not None:
            written["additionalProperties"] = self.write(shape.others, direction)
        elif shape.is_strict and direction == "in":
            written["additionalProperties"] = False
        return written

    def _bounded(
        self, shape: Shape, bounds: Mapping[str, object], direction: Direction
    ) -> JsonSchema:
        written = self.write(shape, direction)
        match self._definitions.resolved(shape):
            case shapes.Array() | shapes.Tuple() | shapes.Set():
                bounds = {_ITEM_BOUNDS[name]: value for name, value in bounds.items()}
            case shapes.Mapping():
                bounds = {_PROPERTY_BOUNDS[name]: value for name, value in bounds.items()}
            case _:
                pass
        return {**written, **bounds}


def _literals(values: tuple[LiteralValue, ...]) -> JsonSchema:
    return {"const": values[0]} if len(values) == 1 else {"enum": list(values)}


def _key(value: LiteralValue) -> str:
    return value if isinstance(value, str) else str(value)


def _described(doc: str) -> JsonSchema:
    return {"description": doc} if doc else {}
