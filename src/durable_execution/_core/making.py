"""From a function and its options to a task: hints are read, options and shapes are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, overload

from durable_execution._codec import UNDEFINED
from durable_execution._core.limits import MAX_LOOP_ATTEMPTS, check_between, check_task_id
from durable_execution._core.results import (
    Done,
    LoopResultReader,
    NotDone,
    ParentResultReader,
    ParentTaskResult,
    Reader,
    TurnReader,
)
from durable_execution._core.retry import RetryOptions
from durable_execution._core.signatures import (
    Signature,
    is_coroutine_function,
    read_signature,
    schema_for,
)
from durable_execution._core.task import (
    ANYTHING,
    DEFAULT_OPTIONS,
    CallbackPlan,
    ChildTask,
    Duration,
    LoopPlan,
    ParentPlan,
    ParentTaskOutput,
    RunPlan,
    SequencePlan,
    SleepingTask,
    Task,
    TaskDeclaration,
    TaskOptions,
)
from durable_execution.errors import InvalidOptionError

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


@overload
def declare_task(id: str) -> TaskDeclaration[Any, Any]: ...
@overload
def declare_task(id: str, *, input: type[InputT]) -> TaskDeclaration[InputT, Any]: ...
@overload
def declare_task(id: str, *, output: type[OutputT]) -> TaskDeclaration[Any, OutputT]: ...
@overload
def declare_task(
    id: str, *, input: type[InputT], output: type[OutputT]
) -> TaskDeclaration[InputT, OutputT]: ...
@overload
def declare_task(id: str, *, input: Any = ..., output: Any = ...) -> TaskDeclaration[Any, Any]: ...
def declare_task(id: str, *, input: Any = Any, output: Any = Any) -> TaskDeclaration[Any, Any]:
    """Declare a task's name and types, for a client that must not import the code behind it.

    The executor's side puts code behind it with `@executor.implement(declaration)`.

    Raises:
        InvalidOptionError: The id is malformed, or a type cannot be read from the wire.
    """
    return TaskDeclaration(
        id,
        input=schema_for(input, f"input of task {id}"),
        output=schema_for(output, f"output of task {id}"),
    )


@overload
def child_task(
    task: Task[None, Any],
    input: None = None,
    *,
    timeout: Duration | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: Duration | None = None,
) -> ChildTask: ...
@overload
def child_task(
    task: Task[InputT, Any],
    input: InputT,
    *,
    timeout: Duration | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: Duration | None = None,
) -> ChildTask: ...
def child_task(
    task: Task[Any, Any],
    input: Any = UNDEFINED,
    *,
    timeout: Duration | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: Duration | None = None,
) -> ChildTask:
    """Name a child for `ParentTaskOutput`: which task, on what, with which options of its own.

    Raises:
        InvalidOptionError: An option is out of bounds, or the task is none.
    """
    _check_is_task(task, "task of a child")
    options = task.options.overridden(
        timeout=timeout, retry=retry, sleep_before_run=sleep_before_run
    )
    return ChildTask(task, input, options)


def make_task(
    function: Callable[..., Any], local_names: Mapping[str, Any], **given: Any
) -> Task[Any, Any]:
    """Make a task of a function."""
    signature = read_signature(function, local_names)
    task_id, options, validate_input = _split(signature.name, **given)
    plan = RunPlan(function, signature.takes_input, is_coroutine_function(function))
    return Task(
        task_id,
        plan,
        options=options,
        input=_input_reader(signature, task_id),
        output=_output_reader(signature.output, f"output of task {task_id}"),
        validate_input=validate_input,
    )


def make_parent_task(
    function: Callable[..., Any],
    finalize: Task[Any, Any] | Callable[..., Any] | None,
    local_names: Mapping[str, Any],
    **given: Any,
) -> tuple[Task[Any, Any], Task[Any, Any] | None]:
    """Make a parent task, and the finalize task if that was given as a function."""
    signature = read_signature(function, local_names)
    task_id, options, validate_input = _split(signature.name, **given)
    run_output = _run_output_reader(signature.output, task_id)
    own_finalize: Task[Any, Any] | None = None
    if finalize is not None and not isinstance(finalize, Task):
        timeout = options.timeout_ms / 1000
        own_finalize = make_task(finalize, local_names, id=f"{task_id}_finalize", timeout=timeout)
        finalize = own_finalize
    if isinstance(finalize, SleepingTask):
        raise InvalidOptionError(f"finalize of task {task_id} must not be a sleeping task")
    output = ParentResultReader(run_output) if finalize is None else finalize.output_schema
    task: Task[Any, Any] = Task(
        task_id,
        ParentPlan(
            function, signature.takes_input, is_coroutine_function(function), finalize, run_output
        ),
        options=options,
        input=_input_reader(signature, task_id),
        output=output,
        validate_input=validate_input,
    )
    return task, own_finalize


def make_sequence(task_id: str, steps: Sequence[Task[Any, Any]]) -> Task[Any, Any]:
    """Make a task that runs others in order."""
    if not steps:
        raise InvalidOptionError(f"sequential task {task_id} needs at least one task")
    for step in steps:
        _check_is_task(step, f"step of sequential task {task_id}")
    return Task(
        task_id,
        SequencePlan(tuple(steps)),
        input=steps[0].input_schema,
        output=steps[-1].output_schema,
        validate_input=steps[0].validate_input,
    )


def make_loop(
    task_id: str,
    iteration: Task[Any, Any],
    max_attempts: int,
    sleep_before_run: Duration | Callable[[int], Duration] | None,
) -> Task[Any, Any]:
    """Make a task that runs another until it is done."""
    _check_is_task(iteration, f"iteration task of looping task {task_id}")
    if isinstance(iteration, SleepingTask):
        raise InvalidOptionError(
            f"iteration task of looping task {task_id} must not be a sleeping task: "
            "its input is unique, and every turn has the same"
        )
    check_between("max_attempts", max_attempts, 1, MAX_LOOP_ATTEMPTS, whole=True)
    if not callable(sleep_before_run):
        DEFAULT_OPTIONS.overridden(sleep_before_run=sleep_before_run)
    turn = iteration.output_schema
    return Task(
        task_id,
        LoopPlan(iteration, max_attempts, sleep_before_run),
        input=iteration.input_schema,
        output=LoopResultReader(turn.output if isinstance(turn, TurnReader) else ANYTHING),
        validate_input=iteration.validate_input,
    )


def make_implementation(
    declaration: TaskDeclaration[InputT, OutputT], function: Callable[..., Any], **given: Any
) -> Task[InputT, OutputT]:
    """Make a task of a declaration and a function."""
    if given.setdefault("id", declaration.id) != declaration.id:
        raise InvalidOptionError(f"id must be the declared one, {declaration.id!r}")
    signature = read_signature(function, {}, with_hints=False)
    task_id, options, validate_input = _split(signature.name, **given)
    return Task(
        task_id,
        RunPlan(function, signature.takes_input, is_coroutine_function(function)),
        options=options,
        input=declaration.input_schema,
        output=declaration.output_schema,
        validate_input=validate_input,
    )


def make_callback_task(
    declaration: TaskDeclaration[InputT, OutputT], plan: CallbackPlan, **given: Any
) -> Task[InputT, OutputT]:
    """Make a task of a declaration that another program works on."""
    _, options, validate_input = _split(declaration.id, **given)
    return Task(
        declaration.id,
        plan,
        options=options,
        input=declaration.input_schema,
        output=declaration.output_schema,
        validate_input=validate_input,
    )


def check_complete(tasks: Mapping[str, Task[Any, Any]]) -> None:
    """Raise InvalidOptionError unless every task that one of these runs is among them."""
    for task in tasks.values():
        for needed in _runs(task):
            if tasks.get(needed.id) is not needed:
                raise InvalidOptionError(
                    f"task {task.id!r} runs task {needed.id!r}, which is not registered on the "
                    "same executor; include its group"
                )


def _runs(task: Task[Any, Any]) -> tuple[Task[Any, Any], ...]:
    match task.plan:
        case ParentPlan(finalize=Task() as finalize):
            return (finalize,)
        case SequencePlan(steps):
            return steps
        case LoopPlan(iteration=iteration):
            return (iteration,)
        case _:
            return ()


def _split(
    name: str,
    *,
    id: str | None = None,
    timeout: Duration | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: Duration | None = None,
    validate_input: Callable[[Any], Any] | None = None,
    **unknown: object,
) -> tuple[str, TaskOptions, Callable[[Any], Any] | None]:
    if unknown:
        raise InvalidOptionError(
            f"unknown option {next(iter(unknown))!r} of task {id or name}; there are id, timeout, "
            "retry, sleep_before_run and validate_input"
        )
    task_id = check_task_id(name if id is None else id)
    options = DEFAULT_OPTIONS.overridden(
        timeout=timeout, retry=retry, sleep_before_run=sleep_before_run
    )
    return task_id, options, validate_input


def _input_reader(signature: Signature, task_id: str) -> Reader[Any]:
    hint = signature.input
    if not signature.takes_input:
        return ANYTHING
    if hint is ParentTaskResult or get_origin(hint) is ParentTaskResult:
        what = f"output that task {task_id} finalizes"
        return ParentResultReader(schema_for(next(iter(get_args(hint)), Any), what))
    return schema_for(hint, f"input of task {task_id}")


def _output_reader(hint: Any, what: str) -> Reader[Any]:
    """Read the hint of a return value, in which `Done` and `NotDone` have a meaning of ours."""
    arms = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    turns = [arm for arm in arms if (get_origin(arm) or arm) in (Done, NotDone)]
    if not turns:
        return schema_for(hint, what)
    if len(turns) != len(arms):
        raise InvalidOptionError(f"{what}: Done and NotDone may stand beside nothing else")
    outputs = [get_args(arm)[0] for arm in turns if get_args(arm)]
    return TurnReader(schema_for(outputs[0] if outputs else Any, what))


def _run_output_reader(hint: Any, task_id: str) -> Reader[Any]:
    if hint is Any or hint is ParentTaskOutput:
        return ANYTHING
    if get_origin(hint) is not ParentTaskOutput:
        raise InvalidOptionError(
            f"parent task {task_id} must return ParentTaskOutput, "
            f"not {getattr(hint, '__name__', hint)}"
        )
    return schema_for(get_args(hint)[0], f"output of parent task {task_id}")


def _check_is_task(task: object, what: str) -> None:
    if not isinstance(task, Task):
        raise InvalidOptionError(f"{what} must be a Task, got {task!r}")
