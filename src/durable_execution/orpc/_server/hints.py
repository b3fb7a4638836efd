"""What the signature of a handler says: how many parameters, which types."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final, get_type_hints

from durable_execution.orpc._protocol import ValueSchema, schema_of

_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
_MOST_PARAMETERS: Final = 2
_ANYTHING: Final = (Any, object)


def positional_parameters(function: Callable[..., object]) -> list[str]:
    """The names under which a handler takes `(ctx, input)`: none, the first, or both.

    Raises:
        TypeError: It cannot be called with these.
    """
    parameters = inspect.signature(function).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL]
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        names += ["", ""]
    required = [
        parameter
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    allowed = names[:_MOST_PARAMETERS]
    strange = [parameter.name for parameter in required if parameter.name not in allowed]
    if strange:
        raise TypeError(
            f"handler {_name(function)}: expected parameters (ctx, input), "
            f"but it also requires {', '.join(strange)}"
        )
    return allowed


def hinted_schema(function: Callable[..., object], parameter: str) -> ValueSchema | None:
    """The schema of one hint (`return` for the output), or None where everything passes.

    Only this hint is resolved: others may name types that exist for the type checker alone.

    Raises:
        TypeError: The hint names something unknown at run time, or no schema can be made of it.
    """
    source = inspect.unwrap(function)
    while isinstance(source, functools.partial):
        source = inspect.unwrap(source.func)
    if not inspect.isroutine(source):
        source = type(source).__call__
    annotations: dict[str, Any] = getattr(source, "__annotations__", {})
    if parameter not in annotations:
        return None
    only = SimpleNamespace(__annotations__={parameter: annotations[parameter]})
    try:
        hints = get_type_hints(
            only, globalns=getattr(source, "__globals__", {}), include_extras=True
        )
    except NameError as error:
        method = "output" if parameter == "return" else "input"
        raise TypeError(
            f"handler {_name(function)}: the hint {annotations[parameter]!r} of {parameter} cannot "
            f"be resolved ({error}); define the type at module level or pass it to .{method}(...)"
        ) from error
    hint = hints[parameter]
    return None if hint in _ANYTHING else schema_of(hint)


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", repr(function))
