"""Calls as those who observe a link see them: each in a span, told of when it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from time import perf_counter

from durable_execution._observing import (
    TRACEPARENT_HEADER,
    CallMade,
    MakeCall,
    Observer,
    Tracer,
    current_baggage,
    current_trace,
    headers_of,
    told_to,
    traced,
)
from durable_execution.orpc._protocol import ORPCError

Exchange = Callable[[dict[str, str]], Awaitable[object]]
"""Makes a call with headers."""


class CallObserving:
    """Passes traces on with calls, makes spans around them, and tells of them."""

    def __init__(self, url: str, tracer: Tracer | None, observers: Sequence[Observer]) -> None:
        self._url = url
        self._tracer = tracer
        self._tell = told_to(observers)

    async def call(
        self, path: Sequence[str], headers: dict[str, str], exchange: Exchange
    ) -> object:
        """Make a call. A header of the caller's own is stronger than the current trace."""
        parent = current_trace.get()
        if self._tracer is None and self._tell is None:
            return await exchange(_carrying(headers, parent))
        procedure = ".".join(path)
        activity = MakeCall(procedure, self._url)
        code: str | None = None
        began_at = perf_counter()
        try:
            tracer = self._tracer
            with (
                nullcontext(parent) if tracer is None else traced(tracer, activity, parent)
            ) as trace:
                return await exchange(_carrying(headers, trace))
        except ORPCError as error:
            code = error.code
            raise
        except BaseException as error:
            code = type(error).__name__
            raise
        finally:
            if self._tell is not None:
                self._tell(CallMade(procedure, code, perf_counter() - began_at))


def _carrying(headers: dict[str, str], trace: str | None) -> dict[str, str]:
    if trace is None and current_baggage.get() is None:
        return headers
    # The two of a trace belong together: a state is of no other parent.
    is_in_another = TRACEPARENT_HEADER in headers
    return {**headers_of(None if is_in_another else trace), **headers}
