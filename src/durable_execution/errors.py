"""The errors that tasks, executors and their clients raise, and the form they are stored in.

Exception
└── DurableExecutionError                 what a task raises to choose: retryable or not
    ├── DurableExecutionNotFoundError     a task or an execution that does not exist; never retried
    ├── DurableExecutionTimedOutError     selects the status `timed_out`; retried
    ├── DurableExecutionCancelledError    selects the status `cancelled`; never retried
    ├── InvalidInputError                 a value that does not fit its type or its bounds
    ├── InvalidOptionError                (ValueError) an option at definition or construction
    ├── IdempotencyConflictError          (ValueError) a key that was used with another input
    ├── AttemptOverError                  an answer from outside for an attempt that has ended
    ├── InvalidTokenError                 an answer from outside for nothing that was handed over
    ├── InvalidCallbackError              a request that says it is an executor's, and is not
    ├── ExecutorShutDownError             the executor no longer, or not yet, takes work
    └── StorageError                      the storage refused or broke a call
        ├── StorageUnavailableError       may work when tried again: locked, disconnected
        └── DuplicateSleepingIdError      a sleeping task's unique id is taken
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

import msgspec

ErrorType = Literal["generic", "not_found", "timed_out", "cancelled"]

MAX_STORED_MESSAGE_LENGTH: Final = 10_000
"""Characters of an error's message that are stored; the rest is cut, and says so."""


class StoredError(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """An error as an execution keeps it and as views show it: the reference's four fields.

    What an attempt raised also has its `traceback` and the text of its `cause`, unless
    `ExecutorOptions.store_tracebacks` is off; both are unset, which counts as false, where there
    is none. Remote callers see the four fields; the rest is shown to operators alone
    (`create_operators_router`).
    """

    error_type: ErrorType = "generic"
    message: str
    is_retryable: bool = False
    is_internal: bool = False
    traceback: str | msgspec.UnsetType = msgspec.UNSET
    cause: str | msgspec.UnsetType = msgspec.UNSET

    def without_traceback(self) -> StoredError:
        """Return the error as others may see it."""
        if not self.traceback and not self.cause:
            return self
        return msgspec.structs.replace(self, traceback=msgspec.UNSET, cause=msgspec.UNSET)

    def to_exception(self) -> DurableExecutionError:
        """Build the exception that stands for this error: its class by type, its flags kept."""
        exception = _CLASSES[self.error_type](self.message)
        exception.is_retryable = self.is_retryable
        exception.is_internal = self.is_internal
        return exception


class DurableExecutionError(Exception):
    """An error that says whether trying again may help.

    Args:
        message: What went wrong, for a person.
        is_retryable: Whether another attempt may succeed. An exception of any other class counts
            as retryable; this one does not unless it says so.
        is_internal: Whether the fault is the system's rather than the caller's. Internal errors
            are told to remote callers as 5xx, others as 4xx.
    """

    error_type: ErrorType = "generic"
    is_retryable: bool = False
    is_internal: bool = False

    def __init__(
        self, message: str, *, is_retryable: bool = False, is_internal: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.is_retryable = is_retryable
        self.is_internal = is_internal

    @classmethod
    def retryable(cls, message: str, *, is_internal: bool = False) -> DurableExecutionError:
        """Build an error after which the task is tried again, as far as its retries allow."""
        return DurableExecutionError(message, is_retryable=True, is_internal=is_internal)

    @classmethod
    def non_retryable(cls, message: str, *, is_internal: bool = False) -> DurableExecutionError:
        """Build an error that ends the execution whatever retries are left."""
        return DurableExecutionError(message, is_retryable=False, is_internal=is_internal)


class DurableExecutionNotFoundError(DurableExecutionError):
    """A task or an execution that does not exist."""

    error_type: ErrorType = "not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class DurableExecutionTimedOutError(DurableExecutionError):
    """An attempt took too long. Raised by a task, it selects the status `timed_out`."""

    error_type: ErrorType = "timed_out"

    def __init__(self, message: str = "Task execution timed out") -> None:
        super().__init__(message, is_retryable=True)


class DurableExecutionCancelledError(DurableExecutionError):
    """An execution was cancelled. Raised by a task, it selects the status `cancelled`."""

    error_type: ErrorType = "cancelled"

    def __init__(self, message: str = "Task execution cancelled") -> None:
        super().__init__(message)


_CLASSES: Final[dict[ErrorType, Callable[[str], DurableExecutionError]]] = {
    "generic": DurableExecutionError,
    "not_found": DurableExecutionNotFoundError,
    "timed_out": DurableExecutionTimedOutError,
    "cancelled": DurableExecutionCancelledError,
}


class ValueIssue(Protocol):
    """One thing wrong with a value: where, and what was expected."""

    @property
    def path(self) -> tuple[str | int, ...]:
        """Keys and indexes that lead to the place."""
        ...

    @property
    def message(self) -> str:
        """What was expected there."""
        ...


class InvalidInputError(DurableExecutionError):
    """A value that does not fit its declared type or its bounds; nothing was stored.

    `issues` lists every place that was found wrong, where the check can tell.
    """

    def __init__(self, message: str, *, issues: tuple[ValueIssue, ...] = ()) -> None:
        super().__init__(message)
        self.issues = issues


class AttemptOverError(DurableExecutionError):
    """An answer, or a sign of life, for an attempt that is over; nothing was changed.

    The execution has ended, was cancelled, or another attempt follows, whose token is another.
    """


class InvalidTokenError(DurableExecutionError):
    """A token that this server did not make for an attempt of one of its tasks."""

    def __init__(self) -> None:
        super().__init__("Token is not valid")


class InvalidCallbackError(DurableExecutionError):
    """A request to an app that is not proven to be an executor's, or is too old."""


class InvalidOptionError(DurableExecutionError, ValueError):
    """An option outside its bounds. The message names the option and the bounds."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class IdempotencyConflictError(DurableExecutionError, ValueError):
    """A task was enqueued with a key that an execution with another input has; nothing was stored.

    `execution_id` names that execution.
    """

    def __init__(self, task_id: str, idempotency_key: str, execution_id: str) -> None:
        super().__init__(
            "Idempotency key was used with another input "
            f"[taskId={task_id}] [idempotencyKey={idempotency_key}] [executionId={execution_id}]"
        )
        self.task_id = task_id
        self.idempotency_key = idempotency_key
        self.execution_id = execution_id


class ExecutorShutDownError(DurableExecutionError):
    """The executor was not started, or is shutting down, and takes no work."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_retryable=True, is_internal=True)


class StorageError(DurableExecutionError):
    """The storage refused or broke a call."""

    def __init__(self, message: str, *, is_retryable: bool = False) -> None:
        super().__init__(message, is_retryable=is_retryable, is_internal=True)


class StorageUnavailableError(StorageError):
    """The storage cannot be reached or is busy; the same call may succeed later."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_retryable=True)


class DuplicateSleepingIdError(StorageError):
    """A sleeping task's unique id is taken: such ids are unique over all tasks."""

    def __init__(self, sleeping_unique_id: str) -> None:
        super().__init__(
            f"Sleeping task unique id is taken [sleepingTaskUniqueId={sleeping_unique_id}]"
        )
        self.is_internal = False
        self.sleeping_unique_id = sleeping_unique_id


def to_stored_error(error: BaseException) -> StoredError:
    """Put any exception into its stored form. Exceptions of other classes count as retryable.

    Never raises: an attempt must end whatever the exception of its task is like.
    """
    if isinstance(error, DurableExecutionError):
        return StoredError(
            error_type=error.error_type,
            message=bounded_text(_text_of(error), MAX_STORED_MESSAGE_LENGTH),
            is_retryable=error.is_retryable,
            is_internal=error.is_internal,
        )
    text = _text_of(error)
    name = type(error).__name__
    message = f"{name}: {text}" if text else name
    return StoredError(message=bounded_text(message, MAX_STORED_MESSAGE_LENGTH), is_retryable=True)


def _text_of(error: BaseException) -> str:
    try:
        return str(error.message if isinstance(error, DurableExecutionError) else error)
    except Exception as broken:  # raised by somebody's `__str__`
        return f"(its text cannot be read: {type(broken).__name__})"


def bounded_text(text: str, most: int) -> str:
    """Return a text that every database can keep, cut after so many characters."""
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair encodes nowhere
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text)} characters in all)"
