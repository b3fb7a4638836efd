"""A procedure: a handler function with all that its builder was told."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from durable_execution.orpc._contract import Declared
from durable_execution.orpc._protocol import ValueSchema
from durable_execution.orpc._server.context import CallContext
from durable_execution.orpc._server.declared import DeclaredError, ErrorConstructors

HandlerFunction: TypeAlias = Callable[..., Any]
"""`async def` or `def` taking `(ctx, input)`, `(ctx)` or nothing."""


class Next(Protocol):
    """Goes on with the call: the middlewares that follow, then the handler."""

    def __call__(self, *, context: Mapping[str, Any] | None = None) -> Awaitable[Any]: ...


Middleware: TypeAlias = Callable[[CallContext, Any, Next], Awaitable[Any]]
"""`async def auth(ctx, input, next): ... return await next(context={"user": user})`."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """Immutable; made by `rpc.….handler(fn)`. Call it in a test with `call(procedure, input)`.

    Attributes:
        function: The handler as it was written.
        parameters: How many of `(ctx, input)` the handler takes.
        middlewares: Outermost first.
        input: What the input must be; None lets everything pass.
        input_at: The input is validated before the middleware of this index.
        output: What the output must be; None lets everything pass.
        output_at: The output is validated inside the middlewares before this index.
        errors: Declared errors by code.
        method: The declared HTTP method; only GET has an effect (WIRE.md 5).
        declared: What it implements, when it is part of a contract.
        is_async: Whether the handler runs on the event loop.
        is_generator: Whether the handler is an async generator, which runs there as well.
        error_constructors: What `ctx.errors` is.
    """

    function: HandlerFunction
    parameters: int
    middlewares: tuple[Middleware, ...]
    input: ValueSchema | None
    input_at: int
    output: ValueSchema | None
    output_at: int
    errors: Mapping[str, DeclaredError]
    method: str
    declared: Declared[Any, Any] | None = None

    is_async: bool = field(init=False)
    is_generator: bool = field(init=False)
    error_constructors: ErrorConstructors = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Looked up once, because it takes as long as a short call.
        object.__setattr__(self, "is_async", is_async(self.function))
        object.__setattr__(self, "is_generator", _is_async_generator(self.function))
        object.__setattr__(self, "error_constructors", ErrorConstructors(self.errors))

    async def invoke(self, ctx: CallContext, value: object) -> object:
        """Run the handler; a plain function runs in a thread and cannot be cancelled there."""
        arguments = (ctx, value)[: self.parameters]
        result: object
        if self.is_async:
            result = await self.function(*arguments)
            return result
        if self.is_generator:
            stream: object = self.function(*arguments)
            return stream
        result = await asyncio.to_thread(_call_without_stop_iteration, self.function, arguments)
        return await result if inspect.isawaitable(result) else result


def is_async(function: Callable[..., object]) -> bool:
    """Whether calling it gives a coroutine; also true for objects with an async `__call__`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - looks at the method, not for callability
    )


def _is_async_generator(function: Callable[..., object]) -> bool:
    return inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(
        getattr(function, "__call__", None)  # noqa: B004 - looks at the method, not for callability
    )


def _call_without_stop_iteration(
    function: HandlerFunction, arguments: tuple[object, ...]
) -> object:
    """A StopIteration cannot travel through a future: its waiter would hang."""
    try:
        return function(*arguments)
    except StopIteration as error:
        raise RuntimeError("the handler raised StopIteration") from error
