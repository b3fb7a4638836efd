"""Defining tasks: one set of decorators, on an executor and on groups that it includes later.

What the hints of a task's function say becomes the task's types. Options are checked here, so that
a mistake shows when a module is imported and not when its first task fails.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack, cast, overload

from durable_execution._codec import Schema
from durable_execution._core import making
from durable_execution._core.context import TaskContext
from durable_execution._core.decorators import (
    FinalizedDecorator,
    ImplementDecorator,
    ParentDecorator,
    TaskDecorator,
)
from durable_execution._core.results import Done, LoopResult, NotDone, ParentTaskResult
from durable_execution._core.retry import RetryOptions
from durable_execution._core.signatures import schema_for
from durable_execution._core.task import (
    DEFAULT_OPTIONS,
    Duration,
    ParentTaskOutput,
    SleepingTask,
    Task,
    TaskDeclaration,
)
from durable_execution.errors import InvalidOptionError

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")
AT = TypeVar("AT")
BT = TypeVar("BT")
CT = TypeVar("CT")
TaskT = TypeVar("TaskT", bound=Task[Any, Any])


class DefinitionOptions(TypedDict, total=False):
    """Keyword arguments of the decorators.

    `id` defaults to the function's name. `timeout` bounds one attempt (seconds or timedelta,
    300 s if not given), `retry` says how often a failed attempt is repeated (never), and
    `sleep_before_run` delays the first one. `validate_input` is called with the decoded input when
    a task is enqueued; it returns the input to store, or raises.
    """

    id: str
    timeout: Duration
    retry: RetryOptions
    sleep_before_run: Duration
    validate_input: Callable[[Any], Any]


class Definitions:
    """Defines tasks and keeps them by id.

    Every defining method raises `InvalidOptionError` when an option is out of bounds, an id is
    taken, or a type hint cannot be read from the wire.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, Task[Any, Any]] = {}

    @overload
    def task(
        self, function: Callable[[TaskContext, InputT], Awaitable[OutputT]], /
    ) -> Task[InputT, OutputT]: ...
    @overload
    def task(
        self, function: Callable[[TaskContext, InputT], OutputT], /
    ) -> Task[InputT, OutputT]: ...
    @overload
    def task(
        self, function: Callable[[TaskContext], Awaitable[OutputT]], /
    ) -> Task[None, OutputT]: ...
    @overload
    def task(self, function: Callable[[TaskContext], OutputT], /) -> Task[None, OutputT]: ...
    @overload
    def task(self, **options: Unpack[DefinitionOptions]) -> TaskDecorator: ...
    def task(
        self, function: Callable[..., Any] | None = None, **options: Unpack[DefinitionOptions]
    ) -> Any:
        """Make a task of a function that takes `(ctx, input)`, or only `(ctx)`.

        An `async def` runs on the event loop. A plain `def` runs in a thread, of which the executor
        has a bounded number; nothing can stop a thread, so after its timeout or a cancellation
        the execution keeps its place until the function returns: look at `ctx.cancel_signal`.
        """
        names = sys._getframe(1).f_locals  # noqa: SLF001 - for hints that name local classes

        def decorate(function: Callable[..., Any]) -> Task[Any, Any]:
            return self.add(making.make_task(function, names, **options))

        return decorate if function is None else decorate(function)

    @overload
    def parent_task(
        self, function: Callable[[TaskContext, InputT], Awaitable[ParentTaskOutput[OutputT]]], /
    ) -> Task[InputT, ParentTaskResult[OutputT]]: ...
    @overload
    def parent_task(
        self, function: Callable[[TaskContext, InputT], ParentTaskOutput[OutputT]], /
    ) -> Task[InputT, ParentTaskResult[OutputT]]: ...
    @overload
    def parent_task(
        self, function: Callable[[TaskContext], Awaitable[ParentTaskOutput[OutputT]]], /
    ) -> Task[None, ParentTaskResult[OutputT]]: ...
    @overload
    def parent_task(
        self, function: Callable[[TaskContext], ParentTaskOutput[OutputT]], /
    ) -> Task[None, ParentTaskResult[OutputT]]: ...
    @overload
    def parent_task(
        self, *, finalize: None = None, **options: Unpack[DefinitionOptions]
    ) -> ParentDecorator: ...
    @overload
    def parent_task(
        self, *, finalize: Task[Any, OutputT], **options: Unpack[DefinitionOptions]
    ) -> FinalizedDecorator[OutputT]: ...
    @overload
    def parent_task(
        self,
        *,
        finalize: Callable[[TaskContext, Any], Awaitable[OutputT]],
        **options: Unpack[DefinitionOptions],
    ) -> FinalizedDecorator[OutputT]: ...
    @overload
    def parent_task(
        self,
        *,
        finalize: Callable[[TaskContext, Any], OutputT],
        **options: Unpack[DefinitionOptions],
    ) -> FinalizedDecorator[OutputT]: ...
    def parent_task(
        self,
        function: Callable[..., Any] | None = None,
        *,
        finalize: Task[Any, Any] | Callable[..., Any] | None = None,
        **options: Unpack[DefinitionOptions],
    ) -> Any:
        """Make a parent task of a function that returns `ParentTaskOutput(output, children)`.

        The children run in parallel once the function has returned. When all have ended, well or
        not, `finalize` runs with a `ParentTaskResult` and its output is the parent's; without
        it the parent's output is that `ParentTaskResult`.

        `finalize` is a task of any kind but a sleeping one, or a function: then it becomes a task
        named `<id>_finalize` with the parent's timeout and no retries, durable like any other.
        """
        names = sys._getframe(1).f_locals  # noqa: SLF001 - for hints that name local classes

        def decorate(function: Callable[..., Any]) -> Task[Any, Any]:
            task, own_finalize = making.make_parent_task(function, finalize, names, **options)
            if own_finalize is not None:
                self.add(own_finalize)
            return self.add(task)

        return decorate if function is None else decorate(function)

    @overload
    def sequential_tasks(
        self, id: str, tasks: tuple[Task[InputT, AT], Task[AT, OutputT]]
    ) -> Task[InputT, OutputT]: ...
    @overload
    def sequential_tasks(
        self, id: str, tasks: tuple[Task[InputT, AT], Task[AT, BT], Task[BT, OutputT]]
    ) -> Task[InputT, OutputT]: ...
    @overload
    def sequential_tasks(
        self,
        id: str,
        tasks: tuple[Task[InputT, AT], Task[AT, BT], Task[BT, CT], Task[CT, OutputT]],
    ) -> Task[InputT, OutputT]: ...
    @overload
    def sequential_tasks(
        self,
        id: str,
        tasks: tuple[
            Task[InputT, AT],
            Task[AT, BT],
            Task[BT, CT],
            Task[CT, Any],
            Task[Any, Any],
            *tuple[Task[Any, Any], ...],
        ],
    ) -> Task[InputT, Any]: ...
    @overload
    def sequential_tasks(self, id: str, tasks: list[Task[Any, Any]]) -> Task[Any, Any]: ...
    def sequential_tasks(self, id: str, tasks: Sequence[Task[Any, Any]]) -> Task[Any, Any]:
        """Make a task that runs others one after the other, each on the output of the one before.

        Its output is the last one's. A step that does not complete ends it as `finalize_failed`.
        Of a tuple type checkers see that each step takes what the one before gives; what is put
        together at run time is a list.
        """
        return self.add(making.make_sequence(id, tasks))

    def looping_task(
        self,
        id: str,
        iteration_task: Task[InputT, Done[OutputT] | NotDone] | Task[InputT, Done[OutputT]],
        max_attempts: int,
        sleep_before_run: Duration | Callable[[int], Duration] | None = None,
    ) -> Task[InputT, LoopResult[OutputT]]:
        """Make a task that runs another on the same input until that returns `Done(output)`.

        After `max_attempts` turns without it the loop completes as `LoopGaveUp`. A turn that does
        not complete ends the loop as `finalize_failed`. `sleep_before_run` is the pause
        before each turn, or a function of the turn's number (from 0) giving it; the iteration
        task's own is used if it is not given. Turns are kept as children: the thousandth costs
        what the first does.
        """
        return self.add(making.make_loop(id, iteration_task, max_attempts, sleep_before_run))

    @overload
    def sleeping_task(self, id: str, *, timeout: Duration = ...) -> SleepingTask[Any]: ...
    @overload
    def sleeping_task(
        self, id: str, *, timeout: Duration = ..., output: type[OutputT]
    ) -> SleepingTask[OutputT]: ...
    def sleeping_task(
        self, id: str, *, timeout: Duration | None = None, output: Any = Any
    ) -> SleepingTask[Any]:
        """Make a task that sleeps until somebody wakes it, or until `timeout` has passed.

        It is enqueued with a string, 1 to 255 characters, that is unique over all sleeping
        executions for ever: the id by which `wakeup_sleeping_task_execution` finds it.
        """
        options = DEFAULT_OPTIONS.overridden(timeout=timeout)
        schema: Schema[Any] = schema_for(output, f"output of sleeping task {id}")
        return self.add(SleepingTask(id, options=options, output=schema))

    def implement(
        self,
        declaration: TaskDeclaration[InputT, OutputT],
        **options: Unpack[DefinitionOptions],
    ) -> ImplementDecorator[InputT, OutputT]:
        """Put a function behind a declaration that clients share; its types are declared."""

        def decorate(function: Callable[..., Any]) -> Task[InputT, OutputT]:
            return self.add(making.make_implementation(declaration, function, **options))

        return cast("ImplementDecorator[InputT, OutputT]", decorate)

    def include(self, tasks: Mapping[str, Task[Any, Any]]) -> None:
        """Take over all tasks of a group, as it is now.

        Raises:
            InvalidOptionError: Another task has one of their ids, or it is no group of tasks;
                none was taken over.
        """
        group: object = tasks
        if not isinstance(group, Mapping) or not all(
            isinstance(task, Task) for task in group.values()
        ):
            raise InvalidOptionError(f"a group of tasks can be included, got {tasks!r}")
        for task in tasks.values():
            self._check_free(task)
        self._tasks.update((task.id, task) for task in tasks.values())
        self._added()

    def add(self, task: TaskT) -> TaskT:
        """Take over one task, and the tasks that it runs itself, and return it.

        Raises:
            InvalidOptionError: Another task has its id.
        """
        self._check_free(task)
        self._tasks[task.id] = task
        self._added()
        return task

    def _added(self) -> None:
        """Tasks were added: what runs them looks for their executions."""

    def _check_free(self, task: Task[Any, Any]) -> None:
        if self._tasks.get(task.id, task) is not task:
            raise InvalidOptionError(f"task id {task.id!r} is taken; ids are unique per executor")


class Tasks(Definitions, Mapping[str, Task[Any, Any]]):
    """A group of tasks by id, defined away from any executor.

    Modules define their tasks on a group of their own, and the module that makes the executor
    includes them all (`executor.include(tasks)`): no import circles, no global state.
    """

    def __getitem__(self, task_id: str) -> Task[Any, Any]:
        return self._tasks[task_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)
