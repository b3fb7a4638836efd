"""Shapes as TypeScript types, for one direction or, where both are the same, for both."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, assert_never

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

_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_MAX_SAFE_INTEGER: Final = 2**53 - 1

_SCALARS: Final[Mapping[ScalarKind, str]] = {
    "null": "null",
    "undefined": "undefined",
    "boolean": "boolean",
    "integer": "number",
    "wide integer": "number | bigint",
    "bigint": "bigint",
    "number": "number",
    "string": "string",
    "bytes": "string",
    "instant": "Date",
    "date": "string",
    "time": "string",
    "duration": "string",
    "decimal": "string",
    "uuid": "string",
    "url": "URL",
    "regexp": "RegExp",
    "never": "never",
}
_LENIENT: Final[Mapping[ScalarKind, str]] = {"decimal": "string | number"}
"""What is taken for more than it is given as."""


class TypeWriter(Sides[str]):
    """Writes shapes as TypeScript types."""

    def top_level(self, shape: Shape, direction: Direction) -> str:
        """Write the type of a whole input or output. None may be left out of a call."""
        written = self.use(shape, direction)
        if direction == "in" and written != "unknown" and self.takes_null(shape):
            return f"{written} | undefined"
        return written

    def definitions(self) -> Iterator[str]:
        """Write the types with names that were used so far, in the order of their names."""
        for name, definition, written in self.used():
            yield f"{comment(definition.doc)}export type {name} = {written}\n\n"

    def write(self, shape: Shape, direction: Direction) -> str:
        """Write a shape as a type."""
        match shape:
            case Scalar(kind):
                return _LENIENT.get(kind, _SCALARS[kind]) if direction == "in" else _SCALARS[kind]
            case shapes.Anything():
                return "unknown"
            case shapes.Literals(values):
                return _alternatives(map(_literal, values))
            case shapes.Union(members):
                return _alternatives(self.write(member, direction) for member in members)
            case shapes.Constrained(inner):
                return self.write(inner, direction)
            case Reference(key):
                return self.name(key, direction)
            case _:
                return self._write_container(shape, direction)

    def _write_container(self, shape: Container, direction: Direction) -> str:
        match shape:
            case shapes.Array(items):
                return self._array(items, direction)
            case shapes.Tuple(slots):
                return f"[{', '.join(self._slot(slot, direction) for slot in slots)}]"
            case shapes.Set(items, is_javascripts):
                exact = f"Set<{self.write(items, direction)}>"
                is_lenient = direction == "in" and not is_javascripts
                return f"{exact} | {self._array(items, direction)}" if is_lenient else exact
            case shapes.Mapping():
                return self._mapping(shape, direction)
            case shapes.Object():
                return self._object(shape, direction)
            case _:
                assert_never(shape)

    def _array(self, items: Shape, direction: Direction) -> str:
        written = self.write(items, direction)
        return f"{written}[]" if _IDENTIFIER.fullmatch(written) else f"Array<{written}>"

    def _slot(self, slot: shapes.Slot, direction: Direction) -> str:
        written = self.write(slot.shape, direction)
        is_optional = slot.is_optional and direction == "in"
        if slot.name is None:
            return written
        return f"{slot.name}{'?' if is_optional else ''}: {written}"

    def _mapping(self, shape: shapes.Mapping, direction: Direction) -> str:
        key = self.write(shape.key, direction)
        value = self.write(shape.value, direction)
        by_text = f"Record<string, {value}>"
        if self._are_few_texts(shape.key):
            by_text = f"Partial<Record<{key}, {value}>>"
        match shape.keys:
            case "javascript's":
                return f"Map<{key}, {value}>"
            case "text":
                return by_text
            case "other" if direction == "out":
                return f"Map<{key}, {value}> | Record<string, never>"
            case "other" | "any":
                return f"Map<{key}, {value}> | {by_text}"
            case _:
                assert_never(shape.keys)

    def _are_few_texts(self, key: Shape) -> bool:
        key = self._definitions.resolved(key)
        if isinstance(key, shapes.Union):
            return all(map(self._are_few_texts, key.members))
        return isinstance(key, shapes.Literals) and all(isinstance(v, str) for v in key.values)

    def _object(self, shape: shapes.Object, direction: Direction) -> str:
        lines = [
            self._property(field, name, direction)
            for field in shape.fields
            if (name := field.name(direction)) is not None
        ]
        if shape.others is not None:
            lines.append(f"  [name: string]: {self.write(shape.others, direction)}\n")
        return f"{{\n{''.join(lines)}}}" if lines else "Record<string, never>"

    def _property(self, field: shapes.Field, name: str, direction: Direction) -> str:
        written = self.write(field.shape, direction)
        head = comment(field.doc, indent="  ")
        if not field.is_optional(direction):
            return f"{head}  {property_name(name)}: {written}\n"
        # Undefined properties do not travel, so that they count as missing.
        return f"{head}  {property_name(name)}?: {written} | undefined\n"


def comment(doc: str, *, indent: str = "") -> str:
    """Write a docstring as a comment for editors; nothing if there is none."""
    lines = doc.replace("*/", "*\\/").strip().splitlines()
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    inner = "".join(f"{indent} *{' ' if line else ''}{line.rstrip()}\n" for line in lines)
    return f"{indent}/**\n{inner}{indent} */\n"


def property_name(name: str) -> str:
    """Write a property's name, quoted where it must be."""
    return name if _IDENTIFIER.fullmatch(name) else text(name)


def text(value: str) -> str:
    """Write a text as a literal."""
    if "'" in value or "\\" in value or not value.isprintable():
        return json.dumps(value)
    return f"'{value}'"


def _alternatives(written: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(written))


def _literal(value: LiteralValue) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return str(value) if abs(value) <= _MAX_SAFE_INTEGER else f"{value}n"
    return repr(value) if math.isfinite(value) else "number"
