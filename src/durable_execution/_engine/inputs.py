"""Values at the door: encoded, bounded and checked before anything is stored."""

from __future__ import annotations

import re
from typing import Any, Final

from durable_execution._codec import EncodeError, ValidationFailed, dumps, loads
from durable_execution._core.limits import MAX_SLEEPING_ID_LENGTH
from durable_execution._core.record import PARKED_PREFIX
from durable_execution._core.task import ParentPlan, SleepingTask, Task, TaskDeclaration
from durable_execution.errors import DurableExecutionError, InvalidInputError

_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""What a payload can hold, escaped, but a text column of some database cannot."""


def encode_input(task: Task[Any, Any], value: object, *, max_size: int) -> tuple[bytes, Any]:
    """Encode an input and check it against the task's type and its own check.

    Returns it encoded, and as the task will get it: decoded from that, so that it shares nothing
    that could change with what the caller has.

    Raises:
        InvalidInputError: It cannot be encoded, is too large, or does not fit; the message names
            the field.
    """
    if task.validate_input is None:
        kept = task.input_schema.dumps_kept(value)
        if kept is not None and len(kept) <= max_size:
            return kept, value
    payload = _encode(task, "input", value)
    if task.validate_input is not None:
        payload = validated(task, payload)
    _check_size(payload, max_size, f"Input of task {task.id}")
    return payload, task.load_input(payload)


def encode_output(task: TaskDeclaration[Any, Any], value: object, *, max_size: int) -> bytes:
    """Encode an output and check it against the task's type.

    Raises:
        InvalidInputError: It cannot be encoded, is too large, or does not fit.
    """
    kept = task.output_schema.dumps_kept(value)
    if kept is not None and len(kept) <= max_size:
        return kept
    payload = _encode(task, "output", value)
    check_output_size(task, payload, max_size=max_size)
    task.load_output(payload)
    return payload


def encode_run_output(task: Task[Any, Any], value: object, *, max_size: int) -> bytes:
    """Encode what a parent's run returned; the task's own output comes later.

    Raises:
        InvalidInputError: It cannot be encoded, is too large, or does not fit.
    """
    payload = _encode(task, "output", value)
    check_output_size(task, payload, max_size=max_size)
    if isinstance(task.plan, ParentPlan):
        try:
            task.plan.run_output.load(payload, root="output")
        except ValidationFailed as error:
            message = f"Invalid output of task {task.id}: {error}"
            raise InvalidInputError(message, issues=error.issues) from error
    return payload


def check_output_size(task: TaskDeclaration[Any, Any], payload: bytes, *, max_size: int) -> None:
    """Raise InvalidInputError if an encoded output is too large."""
    _check_size(payload, max_size, f"Output of task {task.id}")


def sleeping_id_of(task: Task[Any, Any], value: object) -> str | None:
    """Return the unique id that a sleeping task is enqueued with, None for other tasks.

    Raises:
        InvalidInputError: It is no string, not 1 to 255 characters, or one of our own.
    """
    if not isinstance(task, SleepingTask):
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_SLEEPING_ID_LENGTH:
        what = f"{len(value)} characters" if isinstance(value, str) else type(value).__name__
        raise InvalidInputError(
            f"Invalid input of sleeping task {task.id}: expected a unique id, "
            f"a string of 1 to {MAX_SLEEPING_ID_LENGTH} characters, got {what}"
        )
    if _UNSTORABLE.search(value):
        raise InvalidInputError(
            f"Invalid input of sleeping task {task.id}: "
            "a unique id must hold neither NUL nor half a surrogate pair"
        )
    if value.startswith(PARKED_PREFIX):
        raise InvalidInputError(
            f"Invalid input of sleeping task {task.id}: "
            f"a unique id must not begin with {PARKED_PREFIX!r}"
        )
    return value


def validated(task: Task[Any, Any], payload: bytes) -> bytes:
    """Show an encoded input to the task's own check, and encode what that returns.

    Raises:
        InvalidInputError: The check raised.
    """
    return _encode(task, "input", _checked(task, loads(payload)))


def _checked(task: Task[Any, Any], value: object) -> object:
    assert task.validate_input is not None  # noqa: S101 - the caller looked
    try:
        return task.validate_input(value)
    except InvalidInputError:
        raise
    except DurableExecutionError as error:
        raise InvalidInputError(error.message) from error
    except Exception as error:
        raise InvalidInputError(f"Invalid input of task {task.id}: {error}") from error


def _encode(task: TaskDeclaration[Any, Any], what: str, value: object) -> bytes:
    try:
        return dumps(value)
    except EncodeError as error:
        raise InvalidInputError(f"Invalid {what} of task {task.id}: {error}") from error


def _check_size(payload: bytes, max_size: int, what: str) -> None:
    if len(payload) > max_size:
        raise InvalidInputError(f"{what} is {len(payload)} bytes, at most {max_size} are allowed")
