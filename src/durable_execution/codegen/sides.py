"""What printers share: named shapes that are one thing in both directions, or two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from durable_execution.codegen.names import free_name, unique_names
from durable_execution.codegen.shapes import (
    ANYTHING,
    NULL,
    Definition,
    Definitions,
    Direction,
    Reference,
    Shape,
    Union,
    parts_of,
)

WrittenT = TypeVar("WrittenT")


class Sides(ABC, Generic[WrittenT]):
    """Writes shapes in one language, and remembers which named ones were used in which direction.

    A named shape that is written otherwise on the way in, or is made of such, has a second name
    for that side: `OrderInput` beside `Order`.

    Args:
        definitions: The shapes with names.
        taken: Names that mean something else in this language.
    """

    def __init__(self, definitions: Definitions, taken: Iterable[str] = ()) -> None:
        self._definitions = definitions
        used = set(taken)
        self._names = unique_names(definitions, used)
        used |= set(self._names.values())
        self._input_names: dict[int, str] = {}
        for key, name in sorted(self._names.items(), key=lambda item: item[1]):
            self._input_names[key] = free_name(f"{name}Input", used)
            used.add(self._input_names[key])
        self._two_sided: frozenset[int] = frozenset()
        self._two_sided = self._find_two_sided()
        self._used: set[tuple[int, Direction]] = set()

    @abstractmethod
    def write(self, shape: Shape, direction: Direction) -> WrittenT:
        """Write a shape, and what it is made of by name."""

    def use(self, shape: Shape, direction: Direction) -> WrittenT:
        """Write a shape, and note every named one in it."""
        # By a list, because chains of names may be long.
        waiting = [shape]
        while waiting:
            each = waiting.pop()
            if isinstance(each, Reference):
                if (each.key, direction) in self._used:
                    continue
                self._used.add((each.key, direction))
                waiting.append(self._definitions[each].shape)
            waiting.extend(parts_of(each, direction))
        return self.write(shape, direction)

    def used(self) -> Iterator[tuple[str, Definition, WrittenT]]:
        """Give the named shapes that were used so far, each once, in the order of their names."""
        found: dict[str, tuple[Definition, WrittenT]] = {}
        for key, direction in self._used:
            definition = self._definitions.all[key]
            written = self.write(definition.shape, direction)
            found[self.name(key, direction)] = (definition, written)
        return ((name, *found[name]) for name in sorted(found))

    def name(self, key: int, direction: Direction) -> str:
        """What a named shape is called in one direction."""
        is_input = direction == "in" and key in self._two_sided
        return self._input_names[key] if is_input else self._names[key]

    def takes_null(self, shape: Shape) -> bool:
        """Whether None is one of the values, so that a whole input may be left out."""
        shape = self._definitions.resolved(shape)
        if isinstance(shape, Union):
            return any(map(self.takes_null, shape.members))
        return shape in (NULL, ANYTHING)

    def _find_two_sided(self) -> frozenset[int]:
        while True:
            found = {
                key
                for key, definition in self._definitions.all.items()
                if self.write(definition.shape, "in") != self.write(definition.shape, "out")
            }
            if found == self._two_sided:
                return self._two_sided
            self._two_sided = frozenset(found)
