"""What a type hint says of an event stream: its values, and what it returns."""

from __future__ import annotations

import collections.abc
from types import UnionType
from typing import Annotated, Any, Final, TypeAlias, Union, get_args, get_origin

from durable_execution._codec import Issue, Schema, ValidationFailed
from durable_execution.orpc._protocol.event_sources import MappedEvents, event_source
from durable_execution.orpc._protocol.event_stream import Event, EventStream, Return

_STREAMS: Final = frozenset(
    {
        EventStream,
        collections.abc.AsyncIterable,
        collections.abc.AsyncIterator,
        collections.abc.AsyncGenerator,
        collections.abc.Generator,
        collections.abc.Iterator,
    }
)


class EventSchema:
    """The hint of a stream: `AsyncIterator[Planet]`, or `AsyncIterator[Planet | Return[int]]`.

    `Event[Planet]` beside `Planet` says nothing new, but is what a generator yields. Each value
    must be what the hint says of values, the return value what stands in `Return`; a hint without
    `Return` says nothing about it.

    Raises:
        TypeError: No schema can be made of a part of it.
    """

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        values, returned = _parts(hint)
        self.item: Schema[Any] = Schema(values)
        self.returned: Schema[Any] = Schema(returned)

    def __repr__(self) -> str:
        return f"EventSchema({self.hint})"

    def convert(self, value: object, *, root: str = "$") -> EventStream[Any]:
        """The stream, checked as it is read: a misfit is raised in place of the event.

        Raises:
            ValidationFailed: This is no stream at all.
        """
        if not isinstance(value, collections.abc.AsyncIterable):
            message = f"expected an event stream, got {type(value).__name__}"
            raise ValidationFailed([Issue((), message)], root)
        return EventStream(
            MappedEvents(
                event_source(value),
                value=lambda item: self.item.convert(item, root=root),
                returned=lambda item: self.returned.convert(item, root=root),
            )
        )


ValueSchema: TypeAlias = Schema[Any] | EventSchema
"""What an input or an output has to be."""


def schema_of(hint: Any) -> ValueSchema:
    """The schema of a hint: that of a stream when the hint is one.

    Raises:
        TypeError: No schema can be made of it.
    """
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return EventSchema(bare) if (get_origin(bare) or bare) in _STREAMS else Schema(hint)


def _parts(hint: Any) -> tuple[Any, Any]:
    """The hints of the values and of the return value."""
    arguments = get_args(hint)
    if not arguments:
        return Any, Any
    values = arguments[0]
    # Only a plain generator says in its own hint what it returns.
    is_generator = get_origin(hint) is collections.abc.Generator
    returned = arguments[2] if is_generator and len(arguments) > 2 else Any
    members = get_args(values) if get_origin(values) in (Union, UnionType) else (values,)
    kept: list[Any] = []
    for member in members:
        origin = get_origin(member) or member
        inside = (*get_args(member), Any)[0]
        if origin is Return:
            returned = inside
        else:
            kept.append(inside if origin is Event else member)
    return (Union[tuple(kept)] if kept else Any), returned  # noqa: UP007 - made at run time
