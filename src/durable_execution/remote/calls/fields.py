"""How the fields of a call are read: checked by type, but for the values of tasks."""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

import msgspec

from durable_execution._codec import UNDEFINED, Issue, Schema, ValidationFailed

T = TypeVar("T")

# Without NUL and half surrogate pairs, which databases cannot compare with anything.
STORABLE = r"^[^\x00\ud800-\udfff]*\Z"

Id: TypeAlias = Annotated[str, msgspec.Meta(max_length=255, pattern=STORABLE)]
"""A key of a task, or an id of whatever kind."""


def read_fields(schema: Schema[T], value: object, *names: str) -> tuple[T, dict[str, object]]:
    """Check an object, but for the named fields: a schema would make Python values of them.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    if not isinstance(value, dict):
        raise refused((), "expected an object")
    if not names:
        return schema.convert(value, root="input"), {}
    rest = value.copy()
    apart = {name: rest.pop(name, UNDEFINED) for name in names}
    return schema.convert(rest, root="input"), apart


def refused(path: tuple[str | int, ...], message: str) -> ValidationFailed:
    """Make the refusal of a call that has something wrong at this place."""
    return ValidationFailed((Issue(path, message),), "input")
