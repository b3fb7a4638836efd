"""How the fields of a call are read: checked by type, but for the values of tasks."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, TypeGuard, TypeVar

import msgspec

from durable_execution._codec import UNDEFINED, Issue, Schema, ValidationFailed

T = TypeVar("T")

# Without NUL and half surrogate pairs, which databases cannot compare with anything.
STORABLE = r"^[^\x00\ud800-\udfff]*\Z"

MAX_ID: Final = 255

Id: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_ID, pattern=STORABLE)]
"""A key of a task, or an id of whatever kind."""


def is_id(value: object) -> TypeGuard[str]:
    """Whether this is an `Id`, for sure: of what it is not, a schema has to say what is wrong."""
    return type(value) is str and len(value) <= MAX_ID and value.isascii() and "\0" not in value


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
