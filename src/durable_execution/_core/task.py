"""What a task is: a name, the types of its input and output, its options, and how it runs.

    TaskDeclaration[I, O]     a name and two types: all that a client needs
    └── Task[I, O]            and how an executor runs it
        └── SleepingTask[O]   which nobody runs: it waits for a wake-up

The six plans below say what running means for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from durable_execution._codec import Schema, ValidationFailed
from durable_execution._core.handover import Courier
from durable_execution._core.limits import (
    DEFAULT_TIMEOUT_MS,
    MAX_DURATION_MS,
    check_task_id,
    to_ms,
)
from durable_execution._core.results import Reader
from durable_execution._core.retry import NO_RETRIES, RetryOptions, RetryPolicy
from durable_execution.errors import InvalidInputError, InvalidOptionError

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

TaskKind = Literal[
    "task", "parent_task", "sequential_tasks", "looping_task", "sleeping_task", "callback_task"
]
Duration: TypeAlias = float | timedelta
"""Seconds, or a timedelta."""

ANYTHING: Final[Schema[Any]] = Schema(Any)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskOptions:
    """How long an attempt may take, when the first one starts and how often it is repeated."""

    timeout_ms: int = DEFAULT_TIMEOUT_MS
    retry: RetryPolicy = NO_RETRIES
    sleep_before_run_ms: int = 0

    def overridden(
        self,
        *,
        timeout: Duration | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: Duration | None = None,
    ) -> TaskOptions:
        """Return these options with those given in the place of their own.

        Raises:
            InvalidOptionError: A duration is out of bounds, or `retry` is something else.
        """
        if timeout is None and retry is None and sleep_before_run is None:
            return self
        return TaskOptions(
            timeout_ms=(
                self.timeout_ms
                if timeout is None
                else to_ms("timeout", timeout, 1, MAX_DURATION_MS)
            ),
            retry=self.retry if retry is None else _policy_of(retry),
            sleep_before_run_ms=(
                self.sleep_before_run_ms
                if sleep_before_run is None
                else to_ms("sleep_before_run", sleep_before_run, 0, MAX_DURATION_MS)
            ),
        )


DEFAULT_OPTIONS: Final = TaskOptions()


def _policy_of(retry: object) -> RetryPolicy:
    if not isinstance(retry, RetryOptions):
        raise InvalidOptionError(
            f"retry must be RetryOptions(max_retries=...), got {type(retry).__name__}"
        )
    return retry.to_policy()


class TaskDeclaration(Generic[InputT, OutputT]):
    """A task's name and types, without the code behind it: what client and server share.

    Args:
        id: Letters, digits and underscores, 1 to 255, unique on an executor.
        input: The type of the input, as in a type hint.
        output: The type of the output.

    Raises:
        InvalidOptionError: The id is malformed.
        TypeError: A type cannot be read from the wire.
    """

    def __init__(
        self,
        id: str,
        *,
        input: Reader[InputT] = ANYTHING,
        output: Reader[OutputT] = ANYTHING,
    ) -> None:
        self.id = check_task_id(id)
        self.input_schema = input
        self.output_schema = output

    @property
    def takes_anything(self) -> bool:
        """Whether no type was given for the input."""
        schema = self.input_schema
        return isinstance(schema, Schema) and schema.hint in (Any, object)

    def load_input(self, payload: bytes) -> InputT:
        """Decode an encoded input.

        Raises:
            InvalidInputError: It does not fit the type; the message names the field.
        """
        try:
            return self.input_schema.load(payload, root="input")
        except ValidationFailed as error:
            message = f"Invalid input of task {self.id}: {error}"
            raise InvalidInputError(message, issues=error.issues) from error

    def load_output(self, payload: bytes) -> OutputT:
        """Decode an encoded output.

        Raises:
            InvalidInputError: It does not fit the type; the message names the field.
        """
        try:
            return self.output_schema.load(payload, root="output")
        except ValidationFailed as error:
            message = f"Invalid output of task {self.id}: {error}"
            raise InvalidInputError(message, issues=error.issues) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Call a function; what it returns is the output."""

    function: Callable[..., Any]
    takes_input: bool
    is_async: bool


@dataclass(frozen=True, slots=True)
class ParentPlan:
    """Call a function that returns an output and children; then run the finalize task, if any."""

    function: Callable[..., Any]
    takes_input: bool
    is_async: bool
    finalize: Task[Any, Any] | None
    run_output: Reader[Any]


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """Run the steps one after the other, each on the output of the one before."""

    steps: tuple[Task[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """Run one task again and again on the same input until it says that it is done."""

    iteration: Task[Any, Any]
    max_attempts: int
    sleep_before_run: Duration | Callable[[int], Duration] | None


@dataclass(frozen=True, slots=True)
class SleepPlan:
    """Run nothing: wait for a wake-up."""


@dataclass(frozen=True, slots=True)
class CallbackPlan:
    """Hand each attempt over to another program, which answers now or calls back later."""

    courier: Courier
    lease_ms: int
    """Within this time the program must be heard of, again and again, until it has answered."""


Plan: TypeAlias = RunPlan | ParentPlan | SequencePlan | LoopPlan | SleepPlan | CallbackPlan

_KINDS: Final[dict[type, TaskKind]] = {
    RunPlan: "task",
    ParentPlan: "parent_task",
    SequencePlan: "sequential_tasks",
    LoopPlan: "looping_task",
    SleepPlan: "sleeping_task",
    CallbackPlan: "callback_task",
}


class Task(TaskDeclaration[InputT, OutputT]):
    """A task that an executor can run. Made by the decorators of `Tasks` and `DurableExecutor`.

    Calling it calls the function it was made of, so that a unit test needs no executor:
    `await send_email(ctx, email)`.
    """

    def __init__(
        self,
        id: str,
        plan: Plan,
        *,
        options: TaskOptions = DEFAULT_OPTIONS,
        input: Reader[InputT] = ANYTHING,
        output: Reader[OutputT] = ANYTHING,
        validate_input: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(id, input=input, output=output)
        self.plan = plan
        self.runs_in_thread = isinstance(plan, RunPlan | ParentPlan) and not plan.is_async
        """Whether it is a plain function, which must not block the event loop."""
        self.are_children_sequential = isinstance(plan, SequencePlan | LoopPlan)
        """Whether its children run one after the other."""
        self.options = options
        self.validate_input = validate_input

    @property
    def kind(self) -> TaskKind:
        """Which of the six kinds this is."""
        return _KINDS[type(self.plan)]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function behind the task, with nothing durable about it."""
        if isinstance(self.plan, RunPlan | ParentPlan):
            return self.plan.function(*args, **kwargs)
        raise TypeError(f"{self.kind} {self.id!r} has no function to call; enqueue it instead")


class SleepingTask(Task[str, OutputT]):
    """A task that waits until somebody wakes it. Its input is a string, unique over all of them."""

    def __init__(self, id: str, *, options: TaskOptions, output: Reader[OutputT]) -> None:
        super().__init__(id, SleepPlan(), options=options, input=Schema(str), output=output)


@dataclass(frozen=True, slots=True)
class ChildTask:
    """A child that a parent's run asks for; made by `child_task`."""

    task: Task[Any, Any]
    input: object
    options: TaskOptions


@dataclass(frozen=True, slots=True)
class ParentTaskOutput(Generic[OutputT]):
    """What a parent's run returns: its own output, and the children to run in parallel."""

    output: OutputT
    children: list[ChildTask] = field(default_factory=list)


def check_keyed(tasks: object) -> None:
    """Raise InvalidOptionError unless tasks come with the keys that clients name them by."""
    if not isinstance(tasks, Mapping):
        raise InvalidOptionError(
            f"tasks must be a mapping of keys to tasks, got {type(tasks).__name__}"
        )
