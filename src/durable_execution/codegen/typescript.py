"""TypeScript for clients of tasks: their types, a client's type, handles, and no server code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from durable_execution._core.task import TaskDeclaration
from durable_execution.codegen.shapes import Direction
from durable_execution.codegen.tasks import TaskShape, read_tasks
from durable_execution.codegen.typescript_types import TypeWriter, comment, property_name

_HEAD: Final = """\
// Generated from the tasks' type hints by `durable-execution codegen typescript`; edits get lost.
// It needs @orpc/client 1.x, and nothing of the server.
"""
_DECLARED: Final = re.compile(r"^(?:export )?(?:type|function|const|class) (\w+)", re.MULTILINE)
_IMPORTED: Final = re.compile(r"^import type \{([^}]*)\}", re.MULTILINE)

_WORDS: Final = """
    any Array as async AsyncIterator await bigint boolean break case catch class const continue
    Date debugger default delete do else enum Error Exclude export extends Extract false finally
    for from function if implements import in instanceof interface let Map never new null number
    object Object Omit package Partial private Promise protected public Record RegExp return Set
    static string super switch symbol this throw true try type typeof undefined unknown URL var
    void while with yield AbortSignal
"""
"""Names that mean something to TypeScript."""


def generate_typescript(tasks: Mapping[str, TaskDeclaration[Any, Any]]) -> str:
    """Write a TypeScript module for the clients of tasks, the same text for the same hints.

    Args:
        tasks: As given to `create_tasks_router`, or declarations. Keys are those clients use.

    Raises:
        InvalidOptionError: A value is neither a task nor a declaration, or one of its hints has no
            form in an execution.
    """
    shapes = read_tasks(tasks)
    client = client_source()
    imports, _, body = client.partition("\n\n")
    writer = TypeWriter(shapes.definitions, frozenset(_WORDS.split()) | _names_in(client))
    entries = [_entry(writer, task) for task in shapes.tasks]
    values = [f"  {property_name(task.key)}: {{}},\n" for task in shapes.tasks]
    parts = [
        _HEAD,
        imports,
        "\n\n",
        *writer.definitions(),
        comment("What goes into every task and comes out of it, by the name clients call it."),
        "export type TaskTypes = {\n",
        *entries,
        "}\n\n",
        comment("The tasks of the server. There is nothing in them at run time."),
        "export const tasks: Tasks = {\n",
        *values,
        "}\n\n",
        body,
    ]
    return "".join(parts)


@cache
def client_source() -> str:
    """The part of the module that is the same for all tasks."""
    place = files("durable_execution.codegen").joinpath("typescript_client.ts")
    return place.read_text(encoding="utf-8")


def _names_in(source: str) -> frozenset[str]:
    imported = [
        name.strip().removeprefix("type ")
        for group in _IMPORTED.findall(source)
        for name in group.split(",")
    ]
    return frozenset([*_DECLARED.findall(source), *filter(None, imported), "TaskTypes", "tasks"])


def _entry(writer: TypeWriter, task: TaskShape) -> str:
    given = writer.top_level(task.input, "in")
    direction: Direction = task.output_direction
    output = writer.top_level(task.output, direction)
    is_sleeping = {True: "true", False: "false", None: "boolean"}[task.is_sleeping]
    return (
        f"{comment(task.doc, indent='  ')}  {property_name(task.key)}: "
        f"{{ input: {given}; output: {output}; sleeping: {is_sleeping} }}\n"
    )
