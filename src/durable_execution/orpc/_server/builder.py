"""`rpc`, where every procedure and every router begins."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from durable_execution.orpc._contract import Contract, Declared
from durable_execution.orpc._protocol import ValueSchema, schema_of
from durable_execution.orpc._server.declared import DeclaredError, ErrorDeclarations, declare_all
from durable_execution.orpc._server.hints import hinted_schema, positional_parameters
from durable_execution.orpc._server.implementing import ContractRouter, Implementing, fitted
from durable_execution.orpc._server.procedure import (
    HandlerFunction,
    Middleware,
    Procedure,
    is_async,
)
from durable_execution.orpc._server.router import Router, guard

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})


@dataclass(frozen=True, slots=True)
class Builder:
    """Immutable: each method gives a new builder, so that any of them can be kept and shared.

        signed_in = rpc.use(auth)

        @signed_in.errors({"OUT_OF_STOCK": {"status": 409, "data": Stock}}).handler
        async def order(ctx: CallContext, input: Order) -> Receipt: ...

        router = rpc.router({"order": order, "admin": rpc.use(only_admins).router({...})})

    Where `.input` and `.output` are not given, the type hints of the handler are the schemas; no
    hint means anything. A returned None is `null` for the caller; `UNDEFINED` is `undefined`.

    Middlewares run in the order of `.use`, outermost first. Those used before `.input` run before
    the input is validated and see it as it came; those used after it see the validated input.
    With type hints only, all of them run before. Likewise `.output`: middlewares used before it
    see the validated output, those after it still shape what is going to be validated.
    """

    _middlewares: tuple[Middleware, ...] = ()
    _input: ValueSchema | None = None
    _input_at: int | None = None
    _output: ValueSchema | None = None
    _output_at: int | None = None
    _errors: Mapping[str, DeclaredError] | None = None
    _method: str = "POST"
    _declared: Declared[Any, Any] | None = None

    def use(self, middleware: Middleware) -> Builder:
        """Add a middleware: `async def (ctx, input, next)`, returning what `await next()` gave.

        It may add context with `next(context={...})`, answer instead of the handler, change the
        result, or raise an `ORPCError`.

        Raises:
            TypeError: It is not async, or cannot be called with three arguments.
        """
        _check_middleware(middleware)
        return replace(self, _middlewares=(*self._middlewares, middleware))

    def input(self, hint: object) -> Builder:
        """Say what the input must be; other input is answered 400 and the handler does not run.

        Raises:
            TypeError: No schema can be made of the hint.
        """
        return replace(self, _input=schema_of(hint), _input_at=len(self._middlewares))

    def output(self, hint: object) -> Builder:
        """Say what the output must be; other output is a bug, and a 500 for the caller.

        Raises:
            TypeError: No schema can be made of the hint.
        """
        return replace(self, _output=schema_of(hint), _output_at=len(self._middlewares))

    def errors(self, *declarations: ErrorDeclarations) -> Builder:
        """Declare errors callers may rely on: classes of `DefinedError`, or entries by code.

            rpc.errors(OutOfStock, NotSignedIn)                        # raise OutOfStock(stock)
            rpc.errors({"OUT_OF_STOCK": {"status": 409, "data": Stock}})
            # raise ctx.errors.OUT_OF_STOCK(data=stock)

        Raises:
            TypeError: A declaration has an unknown key or an unusable data hint.
            ValueError: A code is empty, or a status means success.
        """
        return replace(self, _errors={**(self._errors or {}), **declare_all(declarations)})

    def route(self, *, method: str) -> Builder:
        """Declare the HTTP method. Only GET has an effect: without it a GET call is answered 405.

        Declare it for what reads only: a GET can be sent by any web page on a user's behalf.

        Raises:
            ValueError: Not a method a call can be declared with.
        """
        if method not in _METHODS:
            raise ValueError(f"method: expected one of {', '.join(sorted(_METHODS))}, got {method}")
        return replace(self, _method=method)

    def handler(self, function: HandlerFunction) -> Procedure:
        """Finish the procedure; also works as a decorator.

        `async def` handlers run on the event loop and are cancelled when the caller goes away.
        `def` handlers run in a thread, where nothing can cancel them.

        Raises:
            TypeError: The parameters are not `(ctx, input)`, `(ctx)` or none, or a hint cannot be
                resolved or made a schema.
        """
        if not callable(function):
            raise TypeError(f"handler: expected a function, got {type(function).__name__}")
        parameters = positional_parameters(function)
        expected, given = self._input, self._output
        if expected is None and len(parameters) > 1:
            expected = hinted_schema(function, parameters[1])
        if given is None:
            given = hinted_schema(function, "return")
        last = len(self._middlewares)
        return Procedure(
            function=function,
            parameters=len(parameters),
            middlewares=self._middlewares,
            input=expected,
            input_at=last if self._input_at is None else self._input_at,
            output=given,
            output_at=last if self._output_at is None else self._output_at,
            errors=self._errors or {},
            method=self._method,
            declared=self._declared,
        )

    def implement(self, declared: Declared[InputT, OutputT]) -> Implementing[InputT, OutputT]:
        """Put a function behind a procedure of a contract; a decorator.

            @rpc.implement(Planets.find)
            async def find(ctx: CallContext, input: FindPlanet) -> Planet: ...

        Input, output, errors and method are those of the contract, and type checkers see whether
        the function keeps to them. Middlewares and further errors come from the builder.

        Raises:
            TypeError: This is no declared procedure, no schema can be made of its types, or this
                builder has an input, an output or a route already.
        """
        if not isinstance(declared, Declared):
            raise TypeError(
                f"implement: expected a procedure of a contract such as Planets.find, "
                f"got {declared!r}"
            )
        self._check_open("implement", "come from the contract")
        hint = type(None) if declared.input is None else declared.input
        builder = replace(
            self.errors(*declared.errors).input(hint).output(declared.output),
            # All middlewares run before the validation, as with hints of a handler.
            _input_at=None,
            _output_at=None,
            _method=declared.method or "POST",
            _declared=declared,
        )
        return builder.handler

    def router(self, router: Router, *, contract: type[Contract[Any]] | None = None) -> Router:
        """Put the middlewares and errors of this builder around everything in a router.

        A procedure that was itself built from this builder does not run them twice. `rpc.router`
        adds nothing, but type checkers then know that the mapping is a router.

        Args:
            router: Its keys are names on the wire; with a contract, the attributes of that.
            contract: What the router must implement: all of it, and nothing else.

        Raises:
            TypeError: Something in the router is neither a procedure nor a router, does not keep
                the contract, or this builder has an input, an output or a route, which only a
                procedure can have.
        """
        self._check_open("router", "belong to a procedure")
        checked = router if contract is None else fitted(router, contract)
        guarded = guard(checked, self._middlewares, self._errors or {})
        return guarded if contract is None else ContractRouter(guarded, contract)

    def _check_open(self, what: str, instead: str) -> None:
        has_schema = self._input is not None or self._output is not None
        if has_schema or self._method != "POST":
            raise TypeError(f"{what}: .input, .output and .route {instead}")


rpc: Final = Builder()
"""The empty builder; every procedure begins here."""


def _check_middleware(middleware: Middleware) -> None:
    if not callable(middleware):
        raise TypeError(f"middleware: expected a function, got {type(middleware).__name__}")
    name = getattr(middleware, "__qualname__", repr(middleware))
    if not is_async(middleware):
        raise TypeError(f"middleware {name}: expected async def (ctx, input, next)")
    try:
        inspect.signature(middleware).bind(None, None, None)
    except TypeError as error:
        raise TypeError(f"middleware {name}: expected parameters (ctx, input, next)") from error
