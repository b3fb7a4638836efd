"""The decorators that make tasks of functions, typed: what goes in and out is checked statically.

Each is called with a function that takes `(ctx)` or `(ctx, input)`, plain or `async`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, overload

from durable_execution._core.context import TaskContext
from durable_execution._core.results import ParentTaskResult
from durable_execution._core.task import ParentTaskOutput, Task

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")
FinalT = TypeVar("FinalT")

# Of each pair of overloads the async one comes first: an async function also fits the second, with
# a coroutine for an output.


class TaskDecorator(Protocol):
    """Makes a task; its output is what the function returns."""

    @overload
    def __call__(
        self, function: Callable[[TaskContext, InputT], Awaitable[OutputT]], /
    ) -> Task[InputT, OutputT]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext, InputT], OutputT], /
    ) -> Task[InputT, OutputT]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext], Awaitable[OutputT]], /
    ) -> Task[None, OutputT]: ...
    @overload
    def __call__(self, function: Callable[[TaskContext], OutputT], /) -> Task[None, OutputT]: ...


class ParentDecorator(Protocol):
    """Makes a parent task without a finalize task: its output tells what became of the children."""

    @overload
    def __call__(
        self,
        function: Callable[[TaskContext, InputT], Awaitable[ParentTaskOutput[OutputT]]],
        /,
    ) -> Task[InputT, ParentTaskResult[OutputT]]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext, InputT], ParentTaskOutput[OutputT]], /
    ) -> Task[InputT, ParentTaskResult[OutputT]]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext], Awaitable[ParentTaskOutput[OutputT]]], /
    ) -> Task[None, ParentTaskResult[OutputT]]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext], ParentTaskOutput[OutputT]], /
    ) -> Task[None, ParentTaskResult[OutputT]]: ...


class FinalizedDecorator(Protocol[FinalT]):
    """Makes a parent task whose output is that of its finalize task."""

    @overload
    def __call__(
        self, function: Callable[[TaskContext, InputT], Awaitable[ParentTaskOutput[Any]]], /
    ) -> Task[InputT, FinalT]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext, InputT], ParentTaskOutput[Any]], /
    ) -> Task[InputT, FinalT]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext], Awaitable[ParentTaskOutput[Any]]], /
    ) -> Task[None, FinalT]: ...
    @overload
    def __call__(
        self, function: Callable[[TaskContext], ParentTaskOutput[Any]], /
    ) -> Task[None, FinalT]: ...


class ImplementDecorator(Protocol[InputT, OutputT]):
    """Puts code behind a declaration; the function must fit the declared types."""

    def __call__(
        self,
        function: (
            Callable[[TaskContext, InputT], Awaitable[OutputT]]
            | Callable[[TaskContext, InputT], OutputT]
        ),
        /,
    ) -> Task[InputT, OutputT]: ...
