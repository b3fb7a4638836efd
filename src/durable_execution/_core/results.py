"""Values with a shape of our own: what became of a parent, of a loop, of a turn of a loop.

Their encoded form is the reference's, so that tasks on both sides of the wire may write and read
them: `{output, children: [{taskId, executionId, status, ...}]}`, `{isSuccess, output}` and
`{isDone, output}`. The readers at the end turn it back into the types at the top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar, cast

import msgspec

from durable_execution._codec import UNDEFINED, Issue, Schema, ValidationFailed, loads
from durable_execution._core.status import ErroredStatus
from durable_execution.errors import InvalidInputError, StoredError

if TYPE_CHECKING:
    from durable_execution._core.task import TaskDeclaration

ReadT = TypeVar("ReadT", covariant=True)
OutputT = TypeVar("OutputT")


class CompletedChild(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A child that ended well, as its parent's finalize task sees it."""

    task_id: str
    execution_id: str
    status: Literal["completed"] = "completed"
    output: Any = None


class ErroredChild(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A child that did not end well."""

    task_id: str
    execution_id: str
    status: ErroredStatus
    error: StoredError


FinishedChild: TypeAlias = CompletedChild | ErroredChild


class ParentTaskResult(msgspec.Struct, Generic[OutputT], frozen=True, kw_only=True):
    """What became of a parent task: its run's output, and every child, failed or not.

    The input of a finalize task, and the output of a parent task without one.
    """

    output: OutputT
    children: tuple[FinishedChild, ...]

    def outputs_of(self, task: TaskDeclaration[Any, ReadT]) -> list[ReadT]:
        """Return the outputs of the completed children of one task, in order, in its type.

        Raises:
            InvalidInputError: An output does not fit the task's declared type.
        """
        try:
            return [
                task.output_schema.convert(child.output, root=f"children[{index}].output")
                for index, child in enumerate(self.children)
                if isinstance(child, CompletedChild) and child.task_id == task.id
            ]
        except ValidationFailed as error:
            message = f"Invalid output of task {task.id}: {error}"
            raise InvalidInputError(message, issues=error.issues) from error


class Done(msgspec.Struct, Generic[OutputT], frozen=True, rename="camel"):
    """Returned by a turn of a loop: the loop ends with this output."""

    output: OutputT
    is_done: Literal[True] = True


class NotDone(msgspec.Struct, frozen=True, rename="camel"):
    """Returned by a turn of a loop: another turn, please."""

    is_done: Literal[False] = False


class LoopSucceeded(msgspec.Struct, Generic[OutputT], frozen=True, rename="camel"):
    """A loop that was done within its attempts."""

    output: OutputT
    is_success: Literal[True] = True


class LoopGaveUp(msgspec.Struct, frozen=True, rename="camel"):
    """A loop that used all its attempts without being done."""

    is_success: Literal[False] = False


LoopResult: TypeAlias = LoopSucceeded[OutputT] | LoopGaveUp
TurnResult: TypeAlias = Done[OutputT] | NotDone


class Reader(Protocol[ReadT]):
    """Reads values of one type; `Schema` is one."""

    def load(self, payload: bytes, *, root: str = ...) -> ReadT:
        """Decode an encoded value, or raise ValidationFailed, which calls the value `root`."""
        ...

    def convert(self, value: object, *, root: str = ...) -> ReadT:
        """Check and convert a decoded value, or raise ValidationFailed."""
        ...

    def dumps_kept(self, value: object) -> bytes | None:
        """Encode a value that is known to be read back as what it is; None for any other."""
        ...


class _Loading(ABC, Generic[OutputT]):
    """Gives a reader its `load` by its `convert`."""

    def load(self, payload: bytes, *, root: str = "$") -> OutputT:
        return self.convert(loads(payload), root=root)

    def dumps_kept(self, value: object) -> bytes | None:
        del value
        return None

    @abstractmethod
    def convert(self, value: object, *, root: str = "$") -> OutputT: ...


class ParentResultReader(_Loading[ParentTaskResult[OutputT]]):
    """Reads what became of a parent; the children's outputs stay as they were decoded."""

    def __init__(self, output: Reader[OutputT]) -> None:
        self.output = output

    def convert(self, value: object, *, root: str = "$") -> ParentTaskResult[OutputT]:
        """Check and convert a decoded value, or raise ValidationFailed."""
        result = _object(value, root)
        children = result.get("children", ())
        if not isinstance(children, list | tuple):
            raise _failed(f"{root}.children", "expected an array of children")
        return ParentTaskResult(
            output=self.output.convert(result.get("output", UNDEFINED), root=f"{root}.output"),
            children=tuple(
                _finished_child(child, f"{root}.children[{index}]")
                for index, child in enumerate(children)
            ),
        )


class LoopResultReader(_Loading[LoopResult[OutputT]]):
    """Reads what became of a loop."""

    def __init__(self, output: Reader[OutputT]) -> None:
        self.output = output

    def convert(self, value: object, *, root: str = "$") -> LoopResult[OutputT]:
        """Check and convert a decoded value, or raise ValidationFailed."""
        result = _object(value, root)
        if not _flag(result, "isSuccess", root):
            return LoopGaveUp()
        output = result.get("output", UNDEFINED)
        return LoopSucceeded(self.output.convert(output, root=f"{root}.output"))


class TurnReader(_Loading[TurnResult[OutputT]]):
    """Reads what a turn of a loop returned."""

    def __init__(self, output: Reader[OutputT]) -> None:
        self.output = output

    def convert(self, value: object, *, root: str = "$") -> TurnResult[OutputT]:
        """Check and convert a decoded value, or raise ValidationFailed."""
        result = _object(value, root)
        if not _flag(result, "isDone", root):
            return NotDone()
        output = result.get("output", UNDEFINED)
        return Done(self.output.convert(output, root=f"{root}.output"))


_ANY_ERROR: Schema[StoredError] = Schema(StoredError)
_ANY_STATUS: Schema[ErroredStatus] = Schema(ErroredStatus)


def _finished_child(value: object, root: str) -> FinishedChild:
    child = _object(value, root)
    task_id, execution_id = child.get("taskId"), child.get("executionId")
    if not isinstance(task_id, str) or not isinstance(execution_id, str):
        raise _failed(root, "expected taskId and executionId")
    if child.get("status") == "completed":
        output = child.get("output", UNDEFINED)
        return CompletedChild(
            task_id=task_id,
            execution_id=execution_id,
            output=None if output is UNDEFINED else output,
        )
    return ErroredChild(
        task_id=task_id,
        execution_id=execution_id,
        status=_ANY_STATUS.convert(child.get("status"), root=f"{root}.status"),
        error=_ANY_ERROR.convert(child.get("error"), root=f"{root}.error"),
    )


def _object(value: object, root: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _failed(root, f"expected an object, got {type(value).__name__}")
    return cast("Mapping[str, object]", value)


def _flag(value: Mapping[str, object], key: str, root: str) -> bool:
    flag = value.get(key)
    if not isinstance(flag, bool):
        raise _failed(f"{root}.{key}", "expected a bool")
    return flag


def _failed(where: str, message: str) -> ValidationFailed:
    return ValidationFailed((Issue((where,), message),))
