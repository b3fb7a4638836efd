"""Runs one procedure: middlewares, validation, handler, and the mark of declared errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_execution._codec import UNDEFINED, Schema, ValidationFailed
from durable_execution.orpc._protocol import ORPCError
from durable_execution.orpc._server.context import CallContext, RequestHeaders
from durable_execution.orpc._server.declared import ErrorConstructors, settle_defined
from durable_execution.orpc._server.procedure import Procedure


async def call(
    procedure: Procedure,
    value: object = UNDEFINED,
    *,
    context: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    path: tuple[str, ...] = (),
) -> Any:
    """Call a procedure with no wire in between, as a unit test does.

        planet = await call(find_planet, {"id": 1}, context={"user": user})

    Middlewares run, input and output are validated, and `ORPCError` comes out as callers see it.
    Unlike on the wire, any other exception comes out as it was raised.
    """
    ctx = CallContext(
        path=path,
        context=dict(context or {}),
        headers=RequestHeaders(tuple((headers or {}).items())),
        errors=ErrorConstructors(procedure.errors),
    )
    return await run(procedure, ctx, value)


async def run(procedure: Procedure, ctx: CallContext, value: object) -> object:
    """Run a procedure for a call, whose context has the errors that the procedure declares.

    Raises:
        ORPCError: With `defined` as WIRE.md 6.2 says; bad input and bad output are such errors.
    """
    try:
        return await _step(procedure, ctx, value, 0)
    except ORPCError as error:
        settle_defined(error, procedure.errors)
        raise


async def _step(procedure: Procedure, ctx: CallContext, value: object, index: int) -> object:
    if index == procedure.input_at and procedure.input is not None:
        value = _valid_input(procedure.input, value)
    if index < len(procedure.middlewares):

        async def proceed(*, context: Mapping[str, Any] | None = None) -> object:
            return await _step(procedure, ctx.adding(context), value, index + 1)

        result: object = await procedure.middlewares[index](ctx, value, proceed)
    else:
        result = await procedure.invoke(ctx, value)
    if index == procedure.output_at and procedure.output is not None:
        return _valid_output(procedure.output, result)
    return result


def _valid_input(schema: Schema[Any], value: object) -> object:
    try:
        return schema.convert(value, root="input")
    except ValidationFailed as failure:
        issues = [{"message": issue.message, "path": list(issue.path)} for issue in failure.issues]
        raise ORPCError(
            "BAD_REQUEST", "Input validation failed", data={"issues": issues}
        ) from failure


def _valid_output(schema: Schema[Any], value: object) -> object:
    try:
        return schema.convert(value, root="output")
    except ValidationFailed as failure:
        raise ORPCError("INTERNAL_SERVER_ERROR", "Output validation failed") from failure
