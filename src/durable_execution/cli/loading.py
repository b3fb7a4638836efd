"""Finds what `MODULE:NAME` names, an application or tasks, or says exactly why it cannot."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

from durable_execution._core.task import TaskDeclaration
from durable_execution.executor import DurableExecutor

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


class TargetError(Exception):
    """The target does not name what is needed; the message says what to change."""


def load_application(target: str) -> AsgiApp:
    """Import the module and return the application in it. The current folder is looked in first.

    An exception that the module itself raises is the caller's bug to see, and passes unchanged.

    Raises:
        TargetError: The target is not `MODULE:APP`, or one of the two does not exist, or APP is
            not an ASGI application.
    """
    return _checked(_load(target, "MODULE:APP, such as executor_server:app"), target)


def load_tasks(target: str) -> Mapping[str, TaskDeclaration[Any, Any]]:
    """Import the module and return the tasks in it, by the keys that clients use.

    That is the mapping given to `create_tasks_router`, one of declarations, a group of tasks, or
    all tasks of an executor. An exception that the module itself raises passes unchanged.

    Raises:
        TargetError: The target is not `MODULE:TASKS`, or one of the two does not exist, or TASKS
            is none of these.
    """
    found = _load(target, "MODULE:TASKS, such as executor_server:tasks")
    tasks = found.tasks if isinstance(found, DurableExecutor) else found
    if not isinstance(tasks, Mapping):
        raise TargetError(
            f"{target} is not a mapping of tasks but of type {type(found).__name__!r}; expected "
            "what create_tasks_router is given, a group of tasks, or an executor"
        )
    for key, task in tasks.items():
        if not (isinstance(key, str) and isinstance(task, TaskDeclaration)):
            raise TargetError(
                f"{target}[{key!r}] is not a task but of type {type(task).__name__!r}"
            )
    return tasks


def load_executor(target: str) -> DurableExecutor:
    """Import the module and return the executor in it, or that of an application in it.

    An exception that the module itself raises passes unchanged.

    Raises:
        TargetError: The target is not `MODULE:EXECUTOR`, or one of the two does not exist, or
            EXECUTOR is none and has none.
    """
    found = _load(target, "MODULE:EXECUTOR, such as executor_server:executor")
    if not isinstance(found, DurableExecutor):
        found = getattr(getattr(found, "state", None), "executor", found)
    if not isinstance(found, DurableExecutor):
        raise TargetError(
            f"{target} is not an executor but of type {type(found).__name__!r}; "
            "expected a DurableExecutor, or what create_executor_app(...) returns"
        )
    return found


def _load(target: str, expected: str) -> object:
    module_name, separator, path = target.partition(":")
    if not (separator and module_name and path):
        raise TargetError(f"expected {expected}, got {target!r}")
    if module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").replace("/", ".").strip(".")
        raise TargetError(f"expected the name of a module, not a file: try {dotted}:{path}")
    module = _import(module_name)
    found: object = module
    for name in path.split("."):
        found = _attribute(found, name, target)
    return found


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
