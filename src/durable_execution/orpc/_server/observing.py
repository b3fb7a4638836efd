"""A middleware that makes spans around calls, and tells of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from time import perf_counter
from typing import Any

from durable_execution._observing import (
    CallServed,
    Fact,
    Observer,
    ServeCall,
    Tracer,
    continuing,
    current_trace,
    told_to,
    traced,
)
from durable_execution.orpc._protocol import ORPCError
from durable_execution.orpc._server.context import CallContext
from durable_execution.orpc._server.procedure import Middleware, Next


def observe_calls(
    *, tracer: Tracer | None = None, observers: Sequence[Observer] = ()
) -> Middleware:
    """Make a middleware under which every call is part of its caller's trace, and is told of.

        observed = rpc.use(observe_calls(tracer=tracer, observers=[metrics]))

    Put it first: calls that a middleware before it refuses are not seen. What a procedure calls and
    enqueues is part of the same trace, even without a tracer. The span of a call that streams ends
    with the beginning of its answer.
    """
    tell = told_to(observers)

    async def observe(ctx: CallContext, input: Any, next: Next) -> Any:
        procedure = ".".join(ctx.path)
        with continuing(ctx.headers):
            parent = current_trace.get()
            activity = ServeCall(procedure)
            with nullcontext() if tracer is None else traced(tracer, activity, parent):
                return await (next() if tell is None else _told(tell, procedure, next))

    return observe


async def _told(tell: Callable[[Fact], None], procedure: str, next: Next) -> Any:
    began_at = perf_counter()
    code: str | None = None
    try:
        return await next()
    except ORPCError as error:
        code = error.code
        raise
    except BaseException:
        code = "INTERNAL_SERVER_ERROR"
        raise
    finally:
        tell(CallServed(procedure, code, perf_counter() - began_at))
