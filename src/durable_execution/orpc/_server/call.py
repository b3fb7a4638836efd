"""Runs one procedure: middlewares, validation, handler, and the mark of declared errors."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from functools import partial
from typing import Any

from durable_execution._codec import UNDEFINED, ValidationFailed
from durable_execution.orpc._protocol import (
    EventSchema,
    EventStream,
    MappedEvents,
    ORPCError,
    ValueSchema,
    event_source,
)
from durable_execution.orpc._server.context import CallContext
from durable_execution.orpc._server.declared import ErrorConstructors, settle_defined
from durable_execution.orpc._server.events import as_stream
from durable_execution.orpc._server.headers import RequestHeaders
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
    Unlike on the wire, any other exception comes out as it was raised. A procedure that streams
    gives an `EventStream`.
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
        if procedure.middlewares:
            output = await _step(procedure, ctx, value, 0)
        else:  # the same, and quicker
            if procedure.input is not None:
                value = _valid_input(procedure.input, value)
            if procedure.is_async:
                output = await procedure.function(*(ctx, value)[: procedure.parameters])
            else:
                output = await procedure.invoke(ctx, value)
            if procedure.output is not None:
                output = await _valid_output(procedure.output, output)
    except ORPCError as error:
        settle_defined(error, procedure.errors)
        raise
    stream = as_stream(output)
    if stream is None:
        return output
    return EventStream(MappedEvents(stream.source, error=partial(_settled, procedure)))


def _settled(procedure: Procedure, error: Exception) -> Exception:
    if isinstance(error, ORPCError):
        settle_defined(error, procedure.errors)
    return error


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
        return await _valid_output(procedure.output, result)
    return result


def _valid_input(schema: ValueSchema, value: object) -> object:
    if isinstance(schema, EventSchema) and isinstance(value, AsyncIterable):
        events = event_source(schema.convert(value, root="input"))
        return EventStream(MappedEvents(events, error=_bad_input))
    try:
        return schema.convert(value, root="input")
    except ValidationFailed as failure:
        raise _bad_input(failure) from failure


def _bad_input(failure: Exception) -> Exception:
    if not isinstance(failure, ValidationFailed):
        return failure
    issues = [{"message": issue.message, "path": list(issue.path)} for issue in failure.issues]
    return ORPCError("BAD_REQUEST", "Input validation failed", data={"issues": issues})


async def _valid_output(schema: ValueSchema, value: object) -> object:
    if isinstance(schema, EventSchema) and (stream := as_stream(value)) is not None:
        events = event_source(schema.convert(stream, root="output"))
        return EventStream(MappedEvents(events, error=_bad_output))
    try:
        return schema.convert(value, root="output")
    except ValidationFailed as failure:
        unread = as_stream(value)
        if unread is not None:
            await unread.aclose()
        raise _bad_output(failure) from failure


def _bad_output(failure: Exception) -> Exception:
    if not isinstance(failure, ValidationFailed):
        return failure
    return ORPCError("INTERNAL_SERVER_ERROR", "Output validation failed")
