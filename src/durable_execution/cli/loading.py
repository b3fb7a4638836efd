"""Finds the ASGI application that `MODULE:APP` names, or says exactly why it cannot."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


class TargetError(Exception):
    """`MODULE:APP` names no application; the message says what to change."""


def load_application(target: str) -> AsgiApp:
    """Import the module and return the application in it. The current folder is looked in first.

    An exception that the module itself raises is the caller's bug to see, and passes unchanged.

    Raises:
        TargetError: The target is not `MODULE:APP`, or one of the two does not exist, or APP is
            not an ASGI application.
    """
    module_name, separator, path = target.partition(":")
    if not (separator and module_name and path):
        raise TargetError(f"expected MODULE:APP, such as executor_server:app, got {target!r}")
    if module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").replace("/", ".").strip(".")
        raise TargetError(f"expected the name of a module, not a file: try {dotted}:{path}")
    module = _import(module_name)
    found: object = module
    for name in path.split("."):
        found = _attribute(found, name, target)
    return _checked(found, target)


def _import(module_name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Only a part of the name itself: what the module fails to import is another matter.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise TargetError(
            f"no module named {error.name!r}; looked in {here} and in the installed packages"
        ) from error


def _attribute(owner: object, name: str, target: str) -> object:
    try:
        return cast("object", getattr(owner, name))
    except AttributeError as error:
        near = get_close_matches(name, [each for each in dir(owner) if each[0] != "_"], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        owner_name = getattr(owner, "__name__", type(owner).__name__)
        raise TargetError(f"{target}: {owner_name!r} has no attribute {name!r}{hint}") from error


def _checked(found: object, target: str) -> AsgiApp:
    if callable(found) and not isinstance(found, type) and _takes_three(found):
        return cast("AsgiApp", found)
    raise TargetError(
        f"{target} is not an ASGI application but of type {type(found).__name__!r}; "
        "expected what create_executor_app(...), Starlette(...) or FastAPI(...) returns"
    )


def _takes_three(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:  # a builtin that has no signature to look at
        return True
    return True
