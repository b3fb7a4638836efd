"""What a task function's signature says: whether it takes an input, and its types."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union

from durable_execution._codec import Schema
from durable_execution._core.context import TaskContext
from durable_execution.errors import InvalidOptionError


@dataclass(frozen=True, slots=True)
class Signature:
    """The types of a task function; `Any` where there is no hint."""

    name: str
    takes_input: bool
    input: Any
    output: Any


def read_signature(
    function: Callable[..., Any],
    local_names: Mapping[str, Any] | None = None,
    *,
    with_hints: bool = True,
) -> Signature:
    """Read the hints of a function that takes `(ctx)` or `(ctx, input)`.

    `local_names` are names known where the function was defined, for hints that name a class of an
    enclosing function.

    Raises:
        InvalidOptionError: It takes other arguments, or a hint names something unknown.
    """
    name = _name_of(function)
    every = inspect.signature(function).parameters.values()
    parameters = [
        parameter
        for parameter in every
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    required = [parameter for parameter in every if _is_required(parameter)]
    if not parameters or len(required) > 2 or not set(required) <= set(parameters):
        raise InvalidOptionError(
            f"task function {name} must take (ctx) or (ctx, input), "
            f"got ({', '.join(map(_shown, every))})"
        )
    if len(parameters) > 1 and parameters[1].default not in (parameters[1].empty, None):
        raise InvalidOptionError(
            f"{parameters[1].name} of task function {name} must have no default: "
            "what is enqueued is the input; give it there"
        )
    hints = _hints_of(function, name, local_names) if with_hints else {}
    _check_context(hints.get(parameters[0].name, Any), name, parameters[0].name)
    takes_input = len(parameters) > 1
    return Signature(
        name=name,
        takes_input=takes_input,
        input=hints.get(parameters[1].name, Any) if takes_input else None,
        output=_awaited(hints.get("return", Any)),
    )


def schema_for(hint: Any, what: str) -> Schema[Any]:
    """Compile a hint, or raise InvalidOptionError saying which hint of what cannot be used."""
    try:
        return Schema(hint)
    except TypeError as error:
        raise InvalidOptionError(f"{what}: {error}") from error


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: also for partials and objects with `async __call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def _name_of(function: Callable[..., Any]) -> str:
    if not callable(function):
        raise InvalidOptionError(
            f"a task is made of a function, got {function!r}; options go by name, such as id=..."
        )
    name: str = getattr(function, "__name__", type(function).__name__)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidOptionError(
            f"task function {name} must return its output, not yield it; "
            "ctx.progress tells how far it is"
        )
    return name


def _is_required(parameter: inspect.Parameter) -> bool:
    is_variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not is_variadic


def _shown(parameter: inspect.Parameter) -> str:
    is_named = parameter.kind is parameter.KEYWORD_ONLY
    return f"{parameter.name}=" if is_named else parameter.name


def _check_context(hint: Any, name: str, first: str) -> None:
    """Raise InvalidOptionError if the first argument is hinted to be an input."""
    kind = typing.get_origin(hint) or hint
    if kind in (Any, Union, UnionType, Annotated) or not isinstance(kind, type):
        return
    is_context = getattr(kind, "_is_protocol", False) or issubclass(kind, TaskContext)
    if not is_context and not issubclass(TaskContext, kind):
        raise InvalidOptionError(
            f"the first argument of task function {name} is the TaskContext of the attempt and its "
            f"input the second, but the hint of {first} is {kind.__name__}"
        )


def _hints_of(
    function: Callable[..., Any], name: str, local_names: Mapping[str, Any] | None
) -> dict[str, Any]:
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    try:
        return typing.get_type_hints(function, localns=dict(local_names or {}), include_extras=True)
    except NameError as error:
        raise InvalidOptionError(
            f"type hint of task function {name} names something unknown: {error}; "
            "import it outside TYPE_CHECKING, or define it before the function"
        ) from error


def _awaited(hint: Any) -> Any:
    """Unwrap `Awaitable[T]`, which a plain function may declare and return."""
    origin = typing.get_origin(hint)
    if isinstance(origin, type) and issubclass(origin, Awaitable):
        arguments = typing.get_args(hint)
        return arguments[-1] if arguments else Any
    return hint
