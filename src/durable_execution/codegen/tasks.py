"""From tasks to the shapes of what goes into them and comes out of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from durable_execution._codec import Schema
from durable_execution._core.limits import MAX_SLEEPING_ID_LENGTH
from durable_execution._core.results import (
    Done,
    LoopGaveUp,
    LoopResultReader,
    LoopSucceeded,
    NotDone,
    ParentResultReader,
    ParentTaskResult,
    Reader,
    TurnReader,
)
from durable_execution._core.task import (
    CallbackPlan,
    LoopPlan,
    ParentPlan,
    RunPlan,
    SequencePlan,
    SleepingTask,
    Task,
    TaskDeclaration,
)
from durable_execution.codegen.docs import own_doc
from durable_execution.codegen.reading import ShapeReader, UnsupportedHintError
from durable_execution.codegen.shapes import (
    ANYTHING,
    UNDEFINED,
    Constrained,
    Definitions,
    Direction,
    Scalar,
    Shape,
)
from durable_execution.errors import InvalidOptionError

UNIQUE_ID: Final = Constrained(
    Scalar("string"),
    (("minLength", 1), ("maxLength", MAX_SLEEPING_ID_LENGTH), ("pattern", r"^[^\u0000]*$")),
)
"""What a sleeping task is enqueued with."""
_UNTYPED: Final = (inspect.Signature.empty, object, Any, "object", "Any")


@dataclass(frozen=True, slots=True)
class TaskShape:
    """One task, under the key by which clients call it."""

    key: str
    input: Shape
    output: Shape
    doc: str = ""
    output_direction: Direction = "out"
    """An output that comes from elsewhere (a wake-up, an app's procedure) is checked and kept as it
    came: fields that have defaults may be missing, as in an input."""
    is_sleeping: bool | None = False
    """Whether it is a sleeping task; of a declaration nobody knows."""


@dataclass(frozen=True, slots=True)
class TaskShapes:
    """The tasks in the order of their keys, and the shapes with names that they use."""

    tasks: tuple[TaskShape, ...]
    definitions: Definitions


def read_tasks(tasks: Mapping[str, TaskDeclaration[Any, Any]]) -> TaskShapes:
    """Read the shapes of tasks or declarations; keys are those that clients use.

    Raises:
        InvalidOptionError: A value is neither, or a hint has no form in an execution.
    """
    reader = ShapeReader()
    shapes = tuple(_shape_of(reader, key, task) for key, task in sorted(tasks.items()))
    return TaskShapes(shapes, reader.definitions)


def _shape_of(reader: ShapeReader, key: str, task: TaskDeclaration[Any, Any]) -> TaskShape:
    if not isinstance(task, TaskDeclaration):
        raise InvalidOptionError(
            f"tasks[{key!r}] must be a task or a declaration, got {type(task).__name__}"
        )
    try:
        return TaskShape(
            key,
            _input_of(reader, task),
            _read(reader, task.output_schema),
            _doc_of(task),
            "in" if _passes_output_on(task) else "out",
            isinstance(task, SleepingTask) if isinstance(task, Task) else None,
        )
    except UnsupportedHintError as error:
        raise InvalidOptionError(f"task {task.id}: {error}") from error


def _input_of(reader: ShapeReader, task: TaskDeclaration[Any, Any]) -> Shape:
    if isinstance(task, SleepingTask):
        return UNIQUE_ID
    return _read(reader, task.input_schema) if _takes_input(task) else UNDEFINED


def _read(reader: ShapeReader, schema: Reader[Any]) -> Shape:
    """Read a schema, or the form that the result of a parent, a loop or a turn travels in."""
    return ANYTHING if (hint := _hint_of(schema)) is Any else reader.read(hint)


def _hint_of(schema: Reader[Any]) -> Any:
    match schema:
        case Schema(hint=hint):
            return hint
        case ParentResultReader(output=output):
            return _filled(ParentTaskResult, output)
        case LoopResultReader(output=output):
            return _filled(LoopSucceeded, output) | LoopGaveUp
        case TurnReader(output=output):
            return _filled(Done, output) | NotDone
        case _:
            return Any


def _filled(generic: Any, schema: Reader[Any]) -> Any:
    return generic[_hint_of(schema)]


def _takes_input(task: TaskDeclaration[Any, Any]) -> bool:
    match task:
        case Task(plan=RunPlan(takes_input=takes_input) | ParentPlan(takes_input=takes_input)):
            return takes_input
        case Task(plan=SequencePlan(steps=(first, *_))):
            return _takes_input(first)
        case Task(plan=LoopPlan(iteration=iteration)):
            return _takes_input(iteration)
        case _:
            return True


def _passes_output_on(task: TaskDeclaration[Any, Any]) -> bool:
    """Whether what it gives was made by no code that declares the type of it."""
    match task:
        case SleepingTask() | Task(plan=CallbackPlan()):
            return True
        case Task(plan=RunPlan(function=function)):
            return inspect.signature(function).return_annotation in _UNTYPED
        case Task(plan=SequencePlan(steps=(*_, last))):
            return _passes_output_on(last)
        case Task(plan=ParentPlan(finalize=Task() as finalize)):
            return _passes_output_on(finalize)
        case Task(plan=LoopPlan(iteration=iteration)):
            return _passes_output_on(iteration)
        case _:
            return False


def _doc_of(task: TaskDeclaration[Any, Any]) -> str:
    match task:
        case Task(plan=RunPlan(function=function) | ParentPlan(function=function)):
            return own_doc(function)
        case _:
            return ""
